// The last edits in plain words, the newest first. What somebody does to a note in one go is one line, however many
// edits it was.

import type { PastEdit, RecordOp } from '@hither/client'
import { PREFIX } from './note-fields.ts'

/** What somebody did. */
export interface Line {
  readonly userId: string
  readonly what: string
  /** The note. */
  readonly id: string
  /** When the last of it was, in milliseconds since the Unix epoch. */
  readonly time: number
}

/** What was done to notes, from edits in their order. */
export function historyLines(edits: readonly PastEdit[]): Line[] {
  const lines: Line[] = []
  for (const { userId, time, ops } of edits) {
    for (const op of ops) {
      const what = op.id.startsWith(PREFIX) && doneBy(op)
      if (!what) continue
      const last = lines.at(-1)
      const isMore = last?.userId === userId && last.what === what && last.id === op.id
      lines.splice(isMore ? -1 : lines.length, 1, { userId, what, id: op.id, time })
    }
  }
  return lines.reverse()
}

function doneBy(op: RecordOp): string | undefined {
  if (op.type === 'put') return 'added'
  if (op.type === 'remove') return 'removed'
  const { fields } = op
  if ('x' in fields || 'y' in fields) return 'moved'
  if ('text' in fields) return 'wrote on'
  if ('hue' in fields) return 'coloured'
  return undefined
}
