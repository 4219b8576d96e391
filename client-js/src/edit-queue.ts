// Where edits without an answer are kept over the end of a page: what a queue has to do, and the one that does nothing.

import type { PendingEdit } from './edits/pending.ts'

/** What pages that are gone have left of a room's edits. */
export interface KeptEdits {
  /** Whose numbers they have, and those of the room from now on. */
  readonly editor: Uint8Array
  /** The last number that this editor has used. */
  readonly last: number
  /** In the order of their numbers. */
  readonly edits: readonly PendingEdit[]
}

/** Keeps edits until they are answered. Nothing of it throws or rejects: what can't be kept is not kept. */
export interface EditQueue {
  /** Where it keeps them, for `getStats`: `memory` is nowhere. */
  readonly type: string
  /**
   * Takes over what pages that are gone have left of a room, for a client with this editor; nothing, or later. It is
   * called when the room is entered, before all else.
   */
  adopt(room: string, editor: Uint8Array): Promise<KeptEdits> | undefined
  /** Keeps an edit, or keeps it as it is now. */
  keep(room: string, editor: Uint8Array, edit: PendingEdit): void
  /** An edit is answered. */
  forget(room: string, editor: Uint8Array, number: number): void
}

/** What is kept as long as the page. */
export const MEMORY: EditQueue = {
  type: 'memory',
  adopt: () => undefined,
  keep: () => {},
  forget: () => {},
}
