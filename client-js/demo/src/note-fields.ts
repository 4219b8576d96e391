// A record as a note. Others may run another version of this page, or no page at all, and write anything.

import { orderKey } from '@hither/client/order'
import { hueFrom } from './member.ts'
import type { NoteFields } from './register.ts'
import { within } from './space.ts'

/** A note's id begins with this. */
export const PREFIX = 'note-'

/** The longest text of a note, in UTF-16 units. */
export const TEXT_MAX = 280
/** Keys that count up stay far below this. */
const ORDER_MAX = 64
/** Characters of a text by which a note is called. */
const TITLE_MAX = 24

/** A note as it is shown. */
export type Note = Required<NoteFields>

/** The fields of a record as a note's, if they are. */
export function noteFrom(fields: Readonly<NoteFields> | undefined): Note | undefined {
  if (!fields) return undefined
  const { text, x, y, hue, order }: { readonly [K in keyof Note]?: unknown } = fields
  if (typeof text !== 'string' || typeof x !== 'number' || typeof y !== 'number') return undefined
  return { text, x: within(x), y: within(y), hue: hueFrom(hue) ?? 0, order: orderFrom(order) }
}

/** What a note is called, by its first line. */
export function titleOf(text: string): string {
  const line = [...(text.trim().split('\n', 1)[0] ?? '')]
  return line.length > TITLE_MAX ? `${line.slice(0, TITLE_MAX).join('').trimEnd()}…` : line.join('')
}

/** A key that somebody else wrote, if it is one that another can be put behind; else the lowest of all. */
function orderFrom(value: unknown): string {
  if (typeof value !== 'string' || value.length > ORDER_MAX) return ''
  try {
    orderKey(value)
    return value
  } catch {
    return ''
  }
}
