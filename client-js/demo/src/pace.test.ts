// The pace: few edits, the first at once, the newest at last.

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createPace } from './pace.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

interface Place {
  x: number
  y: number
}

it('sends twenty times a second at most, and the newest of each field', () => {
  const sent: Partial<Place>[] = []
  const pace = createPace<Partial<Place>>((patch) => sent.push(patch))
  for (let x = 0; x < 100; x++) {
    pace.write(x === 1 ? { x, y: 7 } : { x })
    vi.advanceTimersByTime(10)
  }
  expect(sent.length).toBeGreaterThan(18)
  expect(sent.length).toBeLessThanOrEqual(21)
  expect(sent.slice(0, 2)).toEqual([{ x: 0 }, { x: 4, y: 7 }])
  vi.advanceTimersByTime(100)
  expect(sent.at(-1)).toEqual({ x: 99 })
})

it('sends what waits when it is flushed, and nothing after that', () => {
  const sent: Partial<Place>[] = []
  const pace = createPace<Partial<Place>>((patch) => sent.push(patch))
  pace.write({ x: 1 })
  pace.write({ x: 2 })
  expect(pace.isWaiting).toBe(true)
  pace.flush()
  vi.runAllTimers()
  expect([sent, pace.isWaiting]).toEqual([[{ x: 1 }, { x: 2 }], false])
})

it('forgets what is dropped', () => {
  const sent: Partial<Place>[] = []
  const pace = createPace<Partial<Place>>((patch) => sent.push(patch))
  pace.write({ x: 1 })
  pace.write({ x: 2 })
  pace.drop()
  vi.runAllTimers()
  expect(sent).toEqual([{ x: 1 }])
})

it('makes one of all that is written while it can send nothing', () => {
  let canSend = false
  const sent: Partial<Place>[] = []
  const pace = createPace<Partial<Place>>(
    (patch) => sent.push(patch),
    () => canSend,
  )
  pace.write({ x: 1 })
  pace.write({ y: 2 })
  vi.runAllTimers()
  expect(sent).toEqual([])
  pace.flush()
  expect(sent).toEqual([{ x: 1, y: 2 }])
  canSend = true
  pace.write({ x: 3 })
  expect(sent[1]).toEqual({ x: 3 })
})
