// The notes: records of the room, each with a view on the board. Edits go out as the user makes them, and everyone sees
// them in the same order.

import type { Room, RoomError } from '@hither/client'
import { type Board, type Place, within } from './board.ts'
import { byId, isPlain } from './dom.ts'
import type { Hand } from './hand.ts'
import { hueFrom } from './member.ts'
import { NoteView } from './note-view.ts'
import { type NoteFields, SPACE } from './register.ts'
import { say } from './speaker.ts'
import { createWriter, type Writer } from './writer.ts'

const PREFIX = 'note-'
/** How far from the middle a note is put by the button, at most. */
const SCATTER = 450

interface Note {
  readonly view: NoteView
  readonly writer: Writer<Partial<NoteFields>>
}

/** Shows the room's notes, and lets the user put, move, write and remove them. */
export function startNotes(room: Room, board: Board, hand: Hand): void {
  const layer = byId('notes')
  const addButton = byId<HTMLButtonElement>('add-note')
  const notes = new Map<string, Note>()
  /** The note that this user has just put: it gets the caret when it comes. */
  let awaited = ''

  const show = (id: string): void => {
    const fields = noteFields(room.records.get(id))
    const note = notes.get(id)
    if (!fields) return drop(id, note)
    const { view, writer } = note ?? add(id)
    // What the user is about to say is newer than what comes back of it.
    if (!view.isHeld && !writer.isBusy) view.render(fields)
    if (id !== awaited) return
    awaited = ''
    view.focusText()
  }
  const add = (id: string): Note => {
    const writer = createWriter<Partial<NoteFields>>(
      (patch) => room.records.patch(id, patch),
      () => show(id),
    )
    const view = new NoteView(board, {
      onChange: (patch) => writer.write(patch),
      onRemove: () =>
        void room.records.remove(id).then(
          () => say('Note removed.'),
          () => {},
        ),
    })
    const note = { view, writer }
    notes.set(id, note)
    layer.append(view.element)
    return note
  }
  const drop = (id: string, note: Note | undefined): void => {
    const hadFocus = note?.view.element.contains(document.activeElement)
    note?.view.element.remove()
    notes.delete(id)
    if (hadFocus) addButton.focus()
  }
  const put = async (place: Place): Promise<void> => {
    awaited = `${PREFIX}${crypto.randomUUID().slice(0, 8)}`
    await room.records.put(awaited, { text: '', ...place, hue: room.getPresence().color }).catch((error: RoomError) => {
      awaited = ''
      say(`No note: ${error.message}.`)
    })
  }

  room.records.subscribe((ids) => {
    for (const id of ids) if (id.startsWith(PREFIX)) show(id)
    byId('welcome').classList.toggle('covered', notes.size > 0)
  })
  room.subscribe('status', () => {
    addButton.disabled = room.getStatus() !== 'connected' || !room.getSelf()?.canWrite
  })
  addButton.addEventListener('click', () => void put(scattered()))
  board.pad.addEventListener('dblclick', (event) => void put(board.placeOf(event.clientX, event.clientY)))
  board.pad.addEventListener('keydown', (event) => {
    if (event.key !== 'n' || !isPlain(event)) return
    event.preventDefault()
    void put(hand.place)
  })
}

/** Somewhere about the middle. */
function scattered(): Place {
  const near = (): number => within(SPACE / 2 + (Math.random() * 2 - 1) * SCATTER)
  return { x: near(), y: near() }
}

/** The fields of a record as a note's, if they are: others may write anything. */
function noteFields(fields: Readonly<NoteFields> | undefined): NoteFields | undefined {
  if (!fields) return undefined
  const { text, x, y, hue }: { readonly [K in keyof NoteFields]: unknown } = fields
  if (typeof text !== 'string' || typeof x !== 'number' || typeof y !== 'number') return undefined
  return { text, x: within(x), y: within(y), hue: hueFrom(hue) ?? 0 }
}
