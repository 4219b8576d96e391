// Keys that undo and redo, and those that do not.

import { expect, it } from 'vitest'
import { undoKey } from './undo-key.ts'

it.each([
  ['ctrl z', 'undo'],
  ['meta z', 'undo'],
  ['ctrl shift Z', 'redo'],
  ['meta shift z', 'redo'],
  ['ctrl y', 'redo'],
  // On a Mac that is the browser's history.
  ['meta y', undefined],
  ['ctrl shift y', undefined],
  ['z', undefined],
  ['shift Z', undefined],
  ['ctrl meta z', undefined],
  ['ctrl alt z', undefined],
  ['ctrl x', undefined],
])('%s: %s', (pressed, way) => {
  const keys = pressed.split(' ')
  const has = (key: string): boolean => keys.includes(key)
  const event = { ctrlKey: has('ctrl'), metaKey: has('meta'), shiftKey: has('shift'), altKey: has('alt') }
  expect(undoKey({ ...event, key: keys.at(-1) as string })).toBe(way)
})
