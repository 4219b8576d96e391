// Where edits without an answer are kept over the end of a page: what a queue has to do, and the one that does nothing.

import type { Editor } from './edits/edits.ts'
import type { PendingEdit } from './edits/pending.ts'

/** What pages that are gone have left of a room's edits. */
export interface KeptEdits {
  /** Whose numbers they have, and those of the room's other edits from now on, all of them above `last`. */
  readonly editor: Editor
  /** In the order of their numbers. */
  readonly edits: readonly PendingEdit[]
}

/** Keeps edits until they are answered. Nothing of it throws or rejects: what can't be kept is not kept. */
export interface EditQueue {
  /** Where it keeps them, for `getStats`: `memory` is as long as the page. */
  readonly type: string
  /**
   * Takes over what pages that are gone have left of a room; what there was to do comes later, or is nothing. It is
   * called when a client with this editor enters the room, before all else.
   */
  adopt(room: string, editor: Editor): Promise<KeptEdits> | undefined
  /** Keeps an edit of the room, or keeps it as it is now. */
  keep(room: string, editor: Uint8Array, edit: PendingEdit): void
  /** An edit of the room is answered. */
  forget(room: string, editor: Uint8Array, number: number): void
  /** The room is left: what is kept of it is for whoever enters it next. */
  release(room: string, editor: Uint8Array): void
}

/** Keeps nothing. */
export const MEMORY: EditQueue = {
  type: 'memory',
  adopt: () => undefined,
  keep: () => {},
  forget: () => {},
  release: () => {},
}
