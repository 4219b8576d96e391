// Which notes the user has changed that are not saved yet. Most edits are durable before anyone could read that they
// are not, so that is said only of those that wait for longer.

import type { Room } from '@hither/client'

/** So long is nothing said, in milliseconds. */
const PATIENCE = 500

/** Has notes marked as long as edits of theirs wait. */
export class Unsaved {
  readonly #mark: (id: string, isUnsaved: boolean) => void
  readonly #ids = new Set<string>()
  #timer = 0
  #isSaid = false

  constructor(room: Room, mark: (id: string, isUnsaved: boolean) => void) {
    this.#mark = mark
    room.subscribe('storage-status', (status) => {
      if (status === 'synchronized') this.#clear()
    })
  }

  /** The user has changed a note. */
  add(id: string): void {
    this.#ids.add(id)
    if (this.#isSaid) this.#mark(id, true)
    else this.#timer ||= setTimeout(() => this.#say(), PATIENCE)
  }

  #say(): void {
    this.#isSaid = true
    for (const id of this.#ids) this.#mark(id, true)
  }

  #clear(): void {
    clearTimeout(this.#timer)
    if (this.#isSaid) for (const id of this.#ids) this.#mark(id, false)
    this.#ids.clear()
    this.#isSaid = false
    this.#timer = 0
  }
}
