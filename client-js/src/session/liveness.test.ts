import { describe, expect, it } from 'vitest'
import { Liveness } from './liveness.ts'

/** Asked and answered at 0, asked again at 1,000. */
function asked(): Liveness {
  const liveness = new Liveness(0)
  expect(liveness.handleTimeout(0)).toBe('ping')
  liveness.handlePong(0)
  expect([liveness.due, liveness.handleTimeout(999), liveness.handleTimeout(1_000)]).toEqual([1_000, undefined, 'ping'])
  return liveness
}

describe('a silent connection', () => {
  it('is asked after a second, and given up after 2.5 s in all', () => {
    const liveness = asked()
    expect([liveness.due, liveness.handleTimeout(2_249), liveness.handleTimeout(2_250)]).toEqual([
      2_250,
      undefined,
      undefined,
    ])
    expect([liveness.due, liveness.handleTimeout(2_499), liveness.handleTimeout(2_500)]).toEqual([
      2_500,
      undefined,
      'lost',
    ])
  })

  it('is not given up while anything comes, though no pong', () => {
    const liveness = asked()
    liveness.handleTimeout(2_250)
    liveness.handleHeard(2_400)
    expect([liveness.handleTimeout(2_500), liveness.due]).toEqual([undefined, 3_650])
  })

  it('is not given up before a page that was stopped has read what waits', () => {
    for (const late of [2_300, 3_500]) {
      const liveness = asked()
      expect([liveness.handleTimeout(late), liveness.due]).toEqual([undefined, late + 250])
      liveness.handleHeard(late + 1)
      liveness.handlePong(late + 1)
      expect([liveness.handleTimeout(late + 250), liveness.due]).toEqual([undefined, late + 1_001])
    }
  })
})

describe('a connection that answers', () => {
  it('has a round trip, from the ping to its pong, the shortest of the last four', () => {
    const liveness = new Liveness(0)
    const trips = [42, 50, 40, 60, 55, 70, 65].map((trip) => {
      const { due } = liveness
      const pinged = Math.max(due, 0)
      expect(liveness.handleTimeout(pinged)).toBe('ping')
      liveness.handleHeard(pinged + trip)
      liveness.handlePong(pinged + trip)
      return liveness.roundTrip
    })
    expect(trips).toEqual([42, 42, 40, 40, 40, 40, 55])
    expect(liveness.due).toBe(7 * 1_000 + [42, 50, 40, 60, 55, 70, 65].reduce((sum, trip) => sum + trip))
  })

  it('is asked at once, and has no round trip before', () => {
    const liveness = new Liveness(7)
    expect(liveness.roundTrip).toBeNaN()
    expect([liveness.handleTimeout(7), liveness.handleTimeout(7)]).toEqual(['ping', undefined])
  })

  it('is asked every 5 s while it is busy, so that the round trip is of now', () => {
    const liveness = asked()
    liveness.handlePong(1_042)
    for (let now = 1_100; now < 6_000; now += 100) {
      liveness.handleHeard(now)
      expect(liveness.handleTimeout(now)).toBeUndefined()
    }
    expect([liveness.due, liveness.handleTimeout(6_000)]).toEqual([6_000, 'ping'])
  })
})
