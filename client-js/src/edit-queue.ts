// Where edits without an answer are kept over the end of a page: what has to be done for that.

import type { Editor } from './edits/edits.ts'
import type { PendingEdit } from './edits/pending.ts'

/** Keeps edits until they are answered. Nothing of it throws or rejects: what can't be kept is not kept. */
export interface EditQueue {
  /** Where it keeps them, for `getStats`: `memory` is as long as the page. */
  readonly type: string
  /**
   * A client with this editor enters a room: takes over what pages that are gone have left there. It is called before
   * all else; what is to be sent waits for it. Nothing if there is nowhere to keep anything.
   */
  enter(room: string, editor: Editor): Promise<RoomQueue> | undefined
}

/** The queue of a room, as long as a client is in it. */
export interface RoomQueue {
  /** Whose numbers its edits have, and the room's other edits from now on, all of them above `last`. */
  readonly editor: Editor
  /** What has been left, in the order of the numbers. */
  readonly edits: readonly PendingEdit[]
  /**
   * Keeps an edit, or keeps it as it is now. One with `sentAt` is sent once this has resolved, or at once if it gives
   * nothing: were that not kept by then, a page that comes after a crash would take it for one that never was sent, and
   * have it done twice under another number. They resolve in the order of the calls, even where keeping fails.
   */
  keep(edit: PendingEdit): Promise<void> | void
  /** An edit is answered. */
  forget(number: number): void
  /** The room is left: what is kept is for whoever enters it next. */
  release(): void
}
