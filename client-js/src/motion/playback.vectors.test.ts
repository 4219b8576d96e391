// The golden vectors of playback: what Rust shows at a time, this shows, too, as near as numbers are.

import { describe, expect, it } from 'vitest'
import { vectors } from '../testing/vectors.ts'
import type { Axis } from './axes.ts'
import { Curve, PlayClock } from './playback.ts'

interface Scenario {
  name: string
  hz: number
  axes: Axis[]
  steps: Step[]
}

/** A member's slot and generation, and its values; null if it is not to be seen. */
type Place = [slot: number, generation: number, values: number[] | null]

type Step = { now: number; tick: number; points: Place[] } | { now: number; shown: Place[] }

describe('playback.json', () => {
  for (const { name, hz, axes, steps } of vectors<{ scenarios: Scenario[] }>('playback.json').scenarios) {
    it(name, () => {
      const clock = new PlayClock(hz)
      const curves = new Map<string, Curve>()
      const last = new Map<number, number>()
      const into = new Float64Array(axes.length)
      const take = (tick: number, [slot, generation, values]: Place): void => {
        last.set(slot, generation)
        const key = `${slot}.${generation}`
        const curve = curves.get(key) ?? new Curve(axes)
        curves.set(key, curve)
        curve.handlePoint(clock, tick, Int32Array.from(values ?? []))
      }
      const see = ([slot, generation]: Place, now: number): number[] | null => {
        if (last.get(slot) !== generation) return null
        curves.get(`${slot}.${generation}`)!.sample(clock, clock.at(now), into)
        return [...into].map((value, axis) => value / axes[axis]!.step)
      }
      for (const step of steps) {
        if ('tick' in step) {
          clock.handleFrame(step.now, step.tick)
          for (const place of step.points) take(step.tick, place)
          continue
        }
        for (const place of step.shown) {
          const seen = see(place, step.now)
          if (!seen || !place[2]) expect(seen).toBe(place[2])
          else place[2].forEach((value, axis) => expect(Math.abs(seen[axis]! - value)).toBeLessThanOrEqual(1e-9))
        }
      }
    })
  }
})
