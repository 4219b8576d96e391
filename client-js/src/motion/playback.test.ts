// What holds of what is shown, over any network: the golden vectors say what exactly it is.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Axis } from './axes.ts'
import { Curve, PlayClock } from './playback.ts'

const HZ = 25
const PERIOD = 40
const AXES: Axis[] = [
  { step: 1, min: -(2 ** 30), max: 2 ** 30 - 1, wraps: false },
  { step: 1, min: -180, max: 179, wraps: true },
]

/** The frame of a tick: when it comes, and where two members are, if they have moved. */
interface Arrival {
  now: number
  tick: number
  places: ([x: number, y: number] | null)[]
}

const place = fc.option(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: -180, max: 179 })), { freq: 3 })
const step = fc.record({
  isLost: fc.integer({ min: 0, max: 9 }).map((chance) => chance < 2),
  delay: fc.double({ min: 0, max: 2.5 * PERIOD, noNaN: true }),
  places: fc.tuple(place, place),
})

/** Frames that are lost, late and out of order. */
const arrivals = fc.array(step, { minLength: 1, maxLength: 60 }).map((steps) => {
  const sent = steps.map(({ isLost, delay, places }, tick): Arrival & { isLost: boolean } => {
    return { now: tick * PERIOD + delay, tick, places, isLost }
  })
  return sent.filter(({ isLost }) => !isLost).sort((a, b) => a.now - b.now)
})

class Viewer {
  readonly clock = new PlayClock(HZ)
  readonly curves = [new Curve(AXES), new Curve(AXES)]
  readonly #into = new Float64Array(2)

  take({ now, tick, places }: Arrival): void {
    this.clock.handleFrame(now, tick)
    places.forEach((place, index) => place && this.curves[index]!.handlePoint(this.clock, tick, Int32Array.from(place)))
  }

  see(now: number): number[] {
    return this.curves.flatMap((curve) => {
      curve.sample(this.clock, this.clock.at(now), this.#into)
      return [...this.#into]
    })
  }
}

it('what is shown is the same however often it is looked at', () => {
  fc.assert(
    fc.property(arrivals, fc.double({ min: 1, max: 30, noNaN: true }), (arrivals, every) => {
      const [often, once] = [new Viewer(), new Viewer()]
      let now = 0
      for (const arrival of arrivals) {
        for (; now < arrival.now; now += every) often.see(now)
        often.take(arrival)
        once.take(arrival)
        expect(often.see(arrival.now + 3)).toEqual(once.see(arrival.now + 3))
      }
    }),
  )
})

it('time never runs backwards, and what does not move any more stays, at its last place', () => {
  fc.assert(
    fc.property(arrivals, (arrivals) => {
      const viewer = new Viewer()
      const last = [
        [0, 0],
        [0, 0],
      ]
      const newest = [-1, -1]
      let [now, time] = [0, -Infinity]
      const look = (): void => {
        expect(viewer.clock.at(now)).toBeGreaterThanOrEqual(time - 1e-9)
        time = viewer.clock.at(now)
      }
      for (const arrival of arrivals) {
        for (; now < arrival.now; now += 7) look()
        viewer.take(arrival)
        arrival.places.forEach((place, index) => {
          if (!place || arrival.tick < newest[index]!) return
          last[index] = place
          newest[index] = arrival.tick
        })
      }
      while (viewer.clock.isMoving(now)) now += 7
      const rest = viewer.see(now)
      expect(rest).toEqual(last.flatMap((place, index) => (newest[index]! < 0 ? [0, 0] : place)))
      expect(viewer.see(now + 1e6)).toEqual(rest)
      // The buffer is of five ticks at most, and two more are played, a quarter slower than time.
      expect(now).toBeLessThan((arrivals.at(-1)?.now ?? 0) + ((5 + 2) * PERIOD) / 0.75 + 7)
    }),
  )
})
