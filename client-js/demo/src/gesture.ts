// A gesture: many edits of one note, by a drag, a held key or a burst of typing, that are undone in one step.

import type { Patch, Records } from '@hither/client'
import { createPace } from './pace.ts'
import type { NoteFields } from './register.ts'

/** What begins and ends a step. */
export type Steps = Pick<Records, 'pauseHistory' | 'resumeHistory'>

/** A gesture that is under way. */
export interface Gesture {
  readonly id: string
  /** Changes the note. */
  write(patch: Patch<NoteFields>): void
  /** Sends the last of it, and ends the step; the second time nothing. */
  end(): void
  /** Ends the step without the last of it: the note is gone. */
  abandon(): void
  /** Whether something of it was not said to the records yet. */
  readonly isWaiting: boolean
}

/**
 * Begins a gesture, which is made by `patch`. While `isOnline` says no, all of it is one edit, as only so many can
 * wait.
 */
export function beginGesture(
  steps: Steps,
  patch: (patch: Patch<NoteFields>) => void,
  id: string,
  isOnline: () => boolean,
): Gesture {
  const pace = createPace(patch, isOnline)
  let isOver = false
  const finish = (last: () => void): void => {
    if (isOver) return
    isOver = true
    last()
    steps.resumeHistory()
  }
  steps.pauseHistory()
  return {
    id,
    write: (patch) => void (isOver || pace.write(patch)),
    end: () => finish(pace.flush),
    abandon: () => finish(pace.drop),
    get isWaiting() {
      return pace.isWaiting
    },
  }
}
