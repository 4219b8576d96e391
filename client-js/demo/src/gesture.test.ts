// Gestures: one step each, whatever happens.

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { beginGesture, type Gesture } from './gesture.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A gesture, and what it has said. */
function begin(isOnline: boolean): { readonly gesture: Gesture; readonly said: unknown[] } {
  const said: unknown[] = []
  const steps = {
    pauseHistory: () => void said.push('pause'),
    resumeHistory: () => void said.push('resume'),
  }
  const patch = (patch: object): void => void said.push(patch)
  return { gesture: beginGesture(steps, patch, 'note-1', () => isOnline), said }
}

it('is a step from its first edit to its last', () => {
  const { gesture, said } = begin(true)
  for (const x of [1, 2, 3]) gesture.write({ x })
  gesture.end()
  gesture.end()
  gesture.write({ x: 4 })
  vi.runAllTimers()
  expect(said).toEqual(['pause', { x: 1 }, { x: 3 }, 'resume'])
})

it('is one edit while there is no connection', () => {
  const { gesture, said } = begin(false)
  for (const x of [1, 2, 3]) {
    gesture.write({ x })
    vi.advanceTimersByTime(200)
  }
  expect(gesture.isWaiting).toBe(true)
  gesture.end()
  expect(said).toEqual(['pause', { x: 3 }, 'resume'])
})

it('says nothing more of a note that is gone, and ends its step', () => {
  const { gesture, said } = begin(true)
  gesture.write({ x: 1 })
  gesture.write({ x: 2 })
  gesture.abandon()
  vi.runAllTimers()
  expect(said).toEqual(['pause', { x: 1 }, 'resume'])
})
