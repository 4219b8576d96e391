import { describe, expect, it } from 'vitest'
import { Beat } from './beat.ts'

const ZERO = 1_000

/** The beat of a room whose tick 0 was at 1,000 ms and whose frames take half of `roundTrip`; when the last came. */
function heard(tickHz: number, roundTrip: number, ticks: number): { beat: Beat; last: number } {
  const path = { roundTrip: roundTrip || 1 }
  const beat = new Beat(tickHz, path)
  let last = 0
  for (let tick = 0; tick < ticks; tick++) {
    last = ZERO + (tick * 1_000) / tickHz + roundTrip / 2
    beat.handleFrame(last, tick)
  }
  return { beat, last }
}

describe('a slot', () => {
  it('M10: what is sent in it is there before a tick', () => {
    for (const tickHz of [20, 30, 60]) {
      for (const roundTrip of [1, 10, 30, 60, 200]) {
        const { beat, last } = heard(tickHz, roundTrip, 30)
        const slot = beat.slotAfter(last) as number
        const period = 1_000 / tickHz
        const beforeTick = period - ((slot + roundTrip / 2 - ZERO) % period)
        const [microsecond, what] = [0.001, `${tickHz} Hz, ${roundTrip} ms`]
        expect(beforeTick, what).toBeGreaterThan(6 - 3 * microsecond)
        expect(beforeTick, what).toBeLessThan(6 + 10 + 3 * microsecond)
        if (tickHz >= 30) expect(slot - last, what).toBeLessThan(24 + microsecond)
      }
    }
  })

  it('M10: is not before the time that is asked for, and at it if that is a slot', () => {
    const { beat } = heard(20, 0, 30)
    const slot = beat.slotAfter(2_460) as number
    expect(slot, 'rather than 26 ms before a tick').toBe(2_493)
    expect(beat.slotAfter(slot)).toBe(slot)
    expect(beat.slotAfter(slot + 0.001)).toBe(slot + 50)
  })

  it('M10: is moved little by a frame that is late, and at once by one that is early', () => {
    const { beat } = heard(20, 0, 30)
    const before = beat.slotAfter(2_460) as number
    beat.handleFrame(2_510, 30)
    expect((beat.slotAfter(2_460) as number) - before).toBeCloseTo(0.312, 6)
    beat.handleFrame(2_548, 31)
    expect((beat.slotAfter(2_460) as number) - before).toBeCloseTo(-2, 6)
  })

  it('M10: is none without frames, after a pause, and of frames that are close together', () => {
    expect(new Beat(30, { roundTrip: NaN }).slotAfter(5)).toBeUndefined()
    const { beat, last } = heard(20, 0, 10)
    expect(beat.slotAfter(last + 150)).toBeDefined()
    expect(beat.slotAfter(last + 151)).toBeUndefined()
    expect(heard(250, 0, 10).beat.slotAfter(1_040)).toBeUndefined()
  })
})

describe('the margin', () => {
  it('M10: follows what the frames show', () => {
    const { beat } = heard(50, 0, 30)
    // At 50 Hz no slot is moved to an earlier time for the sake of acks.
    const before = (): number => 20 - ((beat.slotAfter(1_500) as number) - 1_500)
    const first = before()
    beat.handleAimed(false)
    expect(before() - first).toBeCloseTo(2, 6)
    for (let made = 0; made < 100; made++) beat.handleAimed(true)
    expect(before()).toBeCloseTo(first, 6)
    for (let made = 0; made < 1_000; made++) beat.handleAimed(true)
    expect(before() - first).toBeCloseTo(-4, 6)
    for (let missed = 0; missed < 1_000; missed++) beat.handleAimed(false)
    expect(before() - first).toBeCloseTo(10, 6)
  })

  it('M10: a sample is aimed at the next tick', () => {
    const { beat } = heard(30, 0, 30)
    expect([1_990, 1_999, 2_001, 2_060].map((ms) => beat.aim(ms))).toEqual([30, 30, 31, 32])
    expect(new Beat(30, { roundTrip: NaN }).aim(5)).toBeNaN()
  })
})

describe('an ack', () => {
  it('M7: of a repeat leaves at once, that of a frame within a period', () => {
    const { beat } = heard(20, 0, 30)
    expect(beat.handleFrame(2_500, 30)).toBe(2_543)
    expect(beat.handleFrame(2_525, 30), 'half a period late').toBeGreaterThan(2_525)
    expect(beat.handleFrame(2_527, 30)).toBe(2_527)
  })

  it('M10: waits for the slot of its frame', () => {
    const { beat } = heard(20, 40, 30)
    expect(beat.handleFrame(2_520, 30), 'to arrive at 2,544').toBe(2_524)
  })

  it('M7: of frames that are close together waits for others', () => {
    const { beat } = heard(250, 0, 30)
    expect(beat.handleFrame(1_120, 30)).toBe(1_132)
  })
})

describe('an old frame', () => {
  it('M16: is one that waited, and makes no difference to the beat', () => {
    const { beat } = heard(20, 0, 30)
    const before = beat.slotAfter(2_460)
    expect(beat.isStale).toBe(false)
    beat.handleFrame(2_801, 30)
    expect([beat.isStale, beat.slotAfter(2_801)]).toEqual([true, (before as number) + 350])
    beat.handleFrame(2_801, 31)
    expect(beat.isStale).toBe(false)
  })

  it('M16: is shown after 500 ms if no other frame comes', () => {
    const { beat } = heard(20, 0, 30)
    expect(beat.due).toBe(Infinity)
    beat.handleFrame(2_801, 30)
    expect(beat.due).toBe(3_301)
    beat.handleTimeout(3_300)
    expect(beat.isStale).toBe(true)
    beat.handleTimeout(3_301)
    expect([beat.isStale, beat.due]).toEqual([false, Infinity])
  })

  it.each(['just before a frame', 'late'])(
    'M16: is none any more after 500 ms of such, with a timer that is %s',
    (timer) => {
      const { beat } = heard(20, 0, 30)
      const stale = Array.from({ length: 12 }, (_, index) => {
        const now = 2_810 + index * 50
        if (timer !== 'late') beat.handleTimeout(now)
        beat.handleFrame(now, 30 + index)
        return beat.isStale
      })
      expect(stale).toEqual([...Array(10).fill(true), false, false])
      expect(beat.slotAfter(3_360), 'the beat is that of the longer path').toBe(3_403)
    },
  )
})
