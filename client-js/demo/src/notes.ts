// The notes: records of the room, each with a view on the board. A change of one looks at that one alone.

import type { Room } from '@hither/client'
import type { Board } from './board.ts'
import { byId, isPlain, oncePerFrame } from './dom.ts'
import type { Hand } from './hand.ts'
import { NoteEdits } from './note-edits.ts'
import { noteFrom, PREFIX } from './note-fields.ts'
import { NoteView } from './note-view.ts'
import { say } from './speaker.ts'
import { type Place, SPACE, within } from './space.ts'
import { stacked } from './stack.ts'
import { startUndo } from './undo.ts'
import { Unsaved } from './unsaved.ts'

/** How far from the middle a note is put by the button, at most. */
const SCATTER = 450

interface Shown {
  readonly view: NoteView
  order: string | undefined
}

/** Shows the room's notes, and lets the user put, move, write, colour and remove them. */
export function startNotes(room: Room, board: Board, hand: Hand): void {
  const layer = byId('notes')
  const addButton = byId<HTMLButtonElement>('add-note')
  const notes = new Map<string, Shown>()
  const edits = new NoteEdits(room)
  const unsaved = new Unsaved(room, (id, isUnsaved) => notes.get(id)?.view.mark(isUnsaved))
  /** The note that this user has just put: it gets the caret when it comes. */
  let awaited = ''

  const restack = oncePerFrame(() => {
    const layers = [...notes].map(([id, { order = '' }]) => ({ id, order }))
    stacked(layers).forEach((id, below) => notes.get(id)?.view.layer(below))
  })
  const show = (id: string): void => {
    const note = noteFrom(room.records.get(id))
    if (!note) return drop(id)
    const shown = notes.get(id) ?? add(id)
    shown.view.isDirty = edits.isTyping(id)
    shown.view.render(note)
    if (shown.order !== note.order) {
      shown.order = note.order
      restack()
    }
    if (id !== awaited) return
    awaited = ''
    shown.view.focusText()
  }
  const add = (id: string): Shown => {
    const view = new NoteView(board, {
      handleMove: (place) => edits.move(id, place),
      handleMoved: () => {
        edits.endMove(id)
        // If nothing came of it, it is where it was.
        show(id)
      },
      handleText: (text) => edits.type(id, text),
      handleTextEnd: () => {
        edits.endTyping()
        show(id)
      },
      handleHue: (hue) => edits.paint(id, hue),
      handleRemove: () => {
        edits.remove(id)
        say('Note removed. Undo brings it back.')
      },
    })
    const shown = { view, order: undefined }
    notes.set(id, shown)
    layer.append(view.element)
    return shown
  }
  const drop = (id: string): void => {
    const shown = notes.get(id)
    if (!shown) return
    edits.forget(id)
    notes.delete(id)
    const { element } = shown.view
    const hadFocus = element.contains(document.activeElement)
    const next = (element.nextElementSibling ?? element.previousElementSibling) as HTMLElement | null
    shown.view.remove()
    if (hadFocus) (next ?? addButton).focus({ preventScroll: true })
    restack()
  }
  const put = (place: Place): void => {
    if (addButton.disabled) return
    awaited = edits.put(place)
    // Records that are here show it at once.
    if (notes.has(awaited)) show(awaited)
  }

  room.records.subscribe((ids) => {
    for (const id of ids) {
      if (!id.startsWith(PREFIX)) continue
      show(id)
      if (edits.isActing) unsaved.add(id)
    }
    byId('welcome').classList.toggle('covered', notes.size > 0)
  })
  startUndo(room, (way) => edits.go(way))
  room.subscribe('status', (status) => {
    // Who has been in the room goes on without a connection.
    addButton.disabled = status === 'disconnected' || !room.getSelf()?.canWrite
  })
  addButton.addEventListener('click', () => put(scattered()))
  board.pad.addEventListener('dblclick', (event) => put(board.placeOf(event.clientX, event.clientY)))
  board.pad.addEventListener('keydown', (event) => {
    if (event.key !== 'n' || !isPlain(event)) return
    event.preventDefault()
    put(hand.place)
  })
}

/** Somewhere about the middle. */
function scattered(): Place {
  const near = (): number => within(SPACE / 2 + (Math.random() * 2 - 1) * SCATTER)
  return { x: near(), y: near() }
}
