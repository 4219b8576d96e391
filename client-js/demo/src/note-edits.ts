// What the user does to notes, as edits of the room's records: each act is one step for undo.

import type { Patch, Room } from '@hither/client'
import { beginGesture, type Gesture } from './gesture.ts'
import { type Note, noteFrom, PREFIX } from './note-fields.ts'
import type { NoteFields } from './register.ts'
import type { Place } from './space.ts'
import { type Layer, topKey } from './stack.ts'

/** So long after the last key a burst of typing is over, in milliseconds. */
const BURST = 900

/** Edits of the notes. */
export class NoteEdits {
  readonly #room: Room
  readonly #moves = new Map<string, Gesture>()
  #typing: Gesture | undefined
  #timer = 0
  #isActing = false

  constructor(room: Room) {
    this.#room = room
    // What is typed last is kept over the end of the page, too.
    addEventListener('pagehide', () => this.endTyping())
  }

  /** Whether what changes now is changed by the user. */
  get isActing(): boolean {
    return this.#isActing
  }

  /** Puts an empty note on top; gives its id. */
  put(place: Place): string {
    this.endTyping()
    const { records } = this.#room
    const id = `${PREFIX}${crypto.randomUUID().slice(0, 8)}`
    const order = topKey(this.#layers()) as string
    const hue = this.#room.getPresence().color
    this.#act(() => records.put(id, { text: '', ...place, hue, order }))
    return id
  }

  /** Moves a note, and puts it on top, until `endMove`. */
  move(id: string, place: Place): void {
    const begun = this.#moves.get(id)
    if (begun) return begun.write(place)
    this.endTyping()
    const move = this.#begin(id)
    this.#moves.set(id, move)
    const order = topKey(this.#layers(), id)
    move.write({ ...place, ...(order && { order }) })
  }

  endMove(id: string): void {
    this.#moves.get(id)?.end()
    this.#moves.delete(id)
  }

  /** Writes on a note. */
  type(id: string, text: string): void {
    if (this.#typing?.id !== id) this.endTyping()
    this.#typing ??= this.#begin(id)
    this.#typing.write({ text })
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.endTyping(), BURST)
  }

  endTyping(): void {
    clearTimeout(this.#timer)
    this.#typing?.end()
    this.#typing = undefined
  }

  /** Whether something was typed on a note that the records do not know yet. */
  isTyping(id: string): boolean {
    return this.#typing?.id === id && this.#typing.isWaiting
  }

  paint(id: string, hue: number): void {
    this.endTyping()
    this.#act(() => this.#room.records.patch(id, { hue }))
  }

  remove(id: string): void {
    this.endTyping()
    this.#act(() => this.#room.records.remove(id))
  }

  /** A note is gone, and what was under way with it. */
  forget(id: string): void {
    this.#moves.get(id)?.abandon()
    this.#moves.delete(id)
    if (this.#typing?.id !== id) return
    this.#typing.abandon()
    this.endTyping()
  }

  /** Undoes the last step, or makes it again. */
  go(way: 'undo' | 'redo'): void {
    // What is being moved is not to be pulled away.
    if (this.#moves.size) return
    this.endTyping()
    this.#act(() => this.#room.records[way]())
  }

  #begin(id: string): Gesture {
    const { records } = this.#room
    const patch = (note: Patch<NoteFields>): void => this.#act(() => records.patch(id, note))
    return beginGesture(records, patch, id, () => this.#room.getStatus() === 'connected')
  }

  /** Does something to the records; what becomes of it they tell all who listen. */
  #act(edit: () => unknown): void {
    this.#isActing = true
    try {
      edit()
    } finally {
      this.#isActing = false
    }
  }

  #layers(): Layer[] {
    const layers: Layer[] = []
    this.#room.records.forEach((fields, id) => {
      const note: Note | undefined = id.startsWith(PREFIX) ? noteFrom(fields) : undefined
      if (note) layers.push({ id, order: note.order })
    })
    return layers
  }
}
