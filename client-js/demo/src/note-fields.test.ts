// Records as notes: what is none is not shown, and what is odd is made even.

import { describe, expect, it } from 'vitest'
import { noteFrom, titleOf } from './note-fields.ts'
import type { NoteFields } from './register.ts'

const NOTE = { text: 'Milk', x: 10, y: 20, hue: 200, order: 'a0' }

describe('a record', () => {
  it('with the fields of a note is one', () => {
    expect(noteFrom(NOTE)).toEqual(NOTE)
  })

  it.each([[undefined], [{}], [{ ...NOTE, text: 7 }], [{ ...NOTE, x: '1' }], [{ ...NOTE, y: null }]])(
    '%j is no note',
    (fields) => {
      expect(noteFrom(fields as NoteFields | undefined)).toBeUndefined()
    },
  )

  it.each([
    [
      { x: -5, y: 9_999.5 },
      { x: 0, y: 2_000 },
    ],
    [{ hue: 'red' }, { hue: 0 }],
    [{ hue: -10 }, { hue: 350 }],
    [{ order: undefined }, { order: '' }],
    [{ order: 'no key' }, { order: '' }],
    [{ order: `a0${'1'.repeat(100)}` }, { order: '' }],
  ])('with %j is one with %j', (odd, even) => {
    expect(noteFrom({ ...NOTE, ...odd } as unknown as NoteFields)).toEqual({ ...NOTE, ...even })
  })
})

it.each([
  ['', ''],
  ['  Milk\nand bread', 'Milk'],
  ['💡'.repeat(30), `${'💡'.repeat(24)}…`],
])('%j is called %j', (text, title) => {
  expect(titleOf(text)).toBe(title)
})
