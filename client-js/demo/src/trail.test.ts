// How long a cursor has been elsewhere.

import { expect, it } from 'vitest'
import { Trail } from './trail.ts'

it('is not behind where the cursor rests, and elsewhere since the cursor left', () => {
  const trail = new Trail()
  trail.push(1, 1, 1_000)
  // A rest makes nobody late.
  trail.push(2, 1, 9_000)
  trail.push(3, 1, 9_033)
  expect([3, 2, 1].map((x) => trail.behind(x, 1, 9_050))).toEqual([0, 17, 50])
  expect(trail.movedAt).toBe(9_033)
})

it('knows the last time at a position, and not where it never was', () => {
  const trail = new Trail()
  for (const x of [1, 2, 1, 3]) trail.push(x, 0, x)
  expect(trail.behind(1, 0, 10)).toBe(7)
  expect(trail.behind(1, 1, 10)).toBeNaN()
})

it('forgets what is long past', () => {
  const trail = new Trail()
  for (let x = 0; x <= 256; x++) trail.push(x, 0, x)
  expect(trail.behind(1, 0, 256)).toBe(254)
  expect(trail.behind(0, 0, 256)).toBeNaN()
})
