// The list of the last edits.

import type { PastEdit, RecordOp } from '@hither/client'
import { expect, it } from 'vitest'
import { historyLines } from './history-words.ts'

const FIELDS = { text: '', x: 1, y: 1, hue: 0 }

function edits(...said: readonly (readonly [userId: string, ...ops: object[]])[]): PastEdit[] {
  return said.map(([userId, ...ops], at) => ({ sequence: at + 1, time: at, userId, ops: ops as RecordOp[] }))
}

function patch(id: string, fields: object): object {
  return { type: 'patch', id, fields }
}

it('says of each edit what it did, the newest first', () => {
  const lines = historyLines(
    edits(
      ['ada', { type: 'put', id: 'note-1', fields: FIELDS }],
      ['ada', patch('note-1', { text: 'Milk' })],
      ['ada', patch('note-1', { hue: 7 })],
      ['ada', patch('note-1', { order: 'a1', x: 2 })],
      ['ada', { type: 'remove', id: 'note-1' }],
    ),
  )
  expect(lines.map(({ what }) => what)).toEqual(['removed', 'moved', 'coloured', 'wrote on', 'added'])
})

it('makes one line of a drag, with the time of its end, and not of two people’s', () => {
  const drag = (userId: string): [string, object] => [userId, patch('note-1', { x: 2, y: 3 })]
  const lines = historyLines(edits(drag('ada'), drag('ada'), drag('ada'), drag('grace'), drag('ada')))
  expect(lines.map(({ userId, time }) => [userId, time])).toEqual([
    ['ada', 4],
    ['grace', 3],
    ['ada', 2],
  ])
})

it('is of notes, and of what shows on them', () => {
  expect(historyLines(edits(['ada', patch('poll', { x: 1 })], ['ada', patch('note-1', { order: 'a1' })]))).toEqual([])
})
