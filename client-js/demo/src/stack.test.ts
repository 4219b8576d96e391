// Notes on each other.

import { expect, it } from 'vitest'
import { stacked, topKey } from './stack.ts'

const LAYERS = [
  { id: 'c', order: 'a1' },
  { id: 'b', order: 'a1' },
  { id: 'd', order: '' },
  { id: 'a', order: 'a0' },
]

it('lie by key, by id where keys are the same, and below all others without one', () => {
  expect(stacked(LAYERS)).toEqual(['d', 'a', 'b', 'c'])
})

it('have a key for the top, which whoever is there does not need', () => {
  expect(['a', 'b', 'd', undefined].map((id) => topKey(LAYERS, id))).toEqual(['a2', 'a2', 'a2', 'a2'])
  expect(topKey(LAYERS, 'c')).toBeUndefined()
})

it('have a first key, also above those without one', () => {
  expect(topKey([])).toBe('a0')
  expect(topKey([{ id: 'd', order: '' }])).toBe('a0')
})
