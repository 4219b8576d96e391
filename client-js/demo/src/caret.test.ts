// The caret in a text that changes around it; `|` is the caret.

import { expect, it } from 'vitest'
import { movedCaret } from './caret.ts'

it.each([
  ['Milk|', 'Milk and bread', 'Milk| and bread'],
  ['Mi|lk', 'Much Milk', 'Much Mi|lk'],
  ['Milk|', 'Much Milk', 'Much Milk|'],
  ['Milk and |bread', 'Milk, bread', 'Milk, |bread'],
  ['Milk a|nd bread', 'Milk or bread', 'Milk or| bread'],
  ['|Milk', 'Bread', '|Bread'],
  ['Mi|lk', '', '|'],
  ['aa|a', 'aa', 'aa|'],
])('%j becomes %j: %j', (before, after, expected) => {
  const place = movedCaret(before.indexOf('|'), before.replace('|', ''), after)
  expect(`${after.slice(0, place)}|${after.slice(place)}`).toBe(expected)
})
