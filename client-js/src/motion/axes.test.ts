import fc from 'fast-check'
import { expect, it } from 'vitest'
import { OPEN } from '../testing/frames.ts'
import { DecodeError } from '../wire/bytes.ts'
import { type Axis, AXIS_LIMIT, bring, checked, difference, moved } from './axes.ts'

const DEGREES: Axis = { step: 1, min: 0, max: 359, wraps: true }
const SHORT: Axis = { step: 1, min: -5, max: 5, wraps: false }

it.each([
  [350, 10, 20],
  [10, 350, -20],
  [0, 180, -180],
  [90, 91, 1],
])('M2: an angle goes the shorter way round, from %i to %i by %i', (from, to, way) => {
  expect(difference(DEGREES, to, from)).toBe(way)
  expect(moved(DEGREES, from, way)).toBe(to)
})

it('M2: a value beyond an angle is the same one around it', () => {
  expect([-1, 725, 359, 0].map((value) => bring(DEGREES, value))).toEqual([359, 5, 359, 0])
})

it('M2: a straight axis is cut and not left', () => {
  expect([9, -9, NaN, 3].map((value) => bring(SHORT, value))).toEqual([5, -5, 0, 3])
  expect(moved(SHORT, 4, 1)).toBe(5)
  for (const beyond of [() => moved(SHORT, 5, 1), () => moved(SHORT, -5, -1), () => checked(SHORT, -6)]) {
    expect(beyond).toThrow(DecodeError)
  }
  expect([Infinity, -Infinity].map((value) => bring(OPEN, value))).toEqual([AXIS_LIMIT - 1, -AXIS_LIMIT])
})

it('M2: whatever lies between two places leads from one to the other', () => {
  const value = fc.integer({ min: -AXIS_LIMIT, max: AXIS_LIMIT - 1 })
  const range = fc.tuple(value, value).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }))
  fc.assert(
    fc.property(range, fc.boolean(), value, value, (range, wraps, a, b) => {
      const axis = { ...range, step: 1, wraps }
      const [from, to] = [bring(axis, a), bring(axis, b)]
      const way = difference(axis, to, from)
      expect(moved(axis, from, way)).toBe(to)
      if (wraps) expect(Math.abs(way)).toBeLessThanOrEqual((axis.max - axis.min + 1) / 2)
      for (const place of [from, to]) expect(checked(axis, place)).toBe(place)
    }),
  )
})
