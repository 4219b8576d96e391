import { describe, expect, it } from 'vitest'
import { putSample } from '../motion/upward.ts'
import { Writer } from '../wire/bytes.ts'
import { Mover, type MoverBeat } from './mover.ts'

const TICK = 50
const NO_BEAT: MoverBeat = { slotAfter: () => undefined, aim: () => NaN, handleAimed: () => {} }

function at(x: number, y = 0): Int32Array {
  return Int32Array.of(x, y)
}

/** Drives the mover to `end` and returns when it sent. */
function sends(mover: Mover, end: number): number[] {
  const times: number[] = []
  while (mover.due <= end) {
    const { due } = mover
    const writer = new Writer()
    mover.pollSample(due, 1, 0, writer)
    if (writer.length) times.push(due)
  }
  return times
}

describe('repeats', () => {
  it('M10: the last sample is repeated for 300 ms, and now and then for three seconds', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    mover.set(1000, at(1, 1))
    const times = sends(mover, 5000)
    expect(times.slice(0, 2), 'first when the next would be due').toEqual([1000, 1050])
    expect(times.slice(2, 17).every((time, i) => time - times[i + 1]! === 16)).toBe(true)
    expect(times.slice(16)).toEqual([1290, 1790, 2290, 2790, 3290, 3790])
    expect(mover.due).toBe(Infinity)
  })

  it('M10: the first repeat comes after a period of 16 to 50 ms', () => {
    for (const [period, first] of [
      [10, 1016],
      [20, 1020],
      [50, 1050],
      [100, 1050],
    ] as const) {
      const mover = new Mover(period, 2, NO_BEAT)
      mover.set(1000, at(1))
      expect(sends(mover, 1050).slice(0, 2)).toEqual([1000, first])
    }
  })

  it('M9: a repeat keeps its number, and a new sample takes the next of the session', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    const writer = new Writer()
    const expected = new Writer()
    mover.set(1000, at(1, 2))
    expect(mover.pollSample(1000, 7, 41, writer)).toBe(42)
    expect(mover.pollSample(1050, 7, 50, writer)).toBe(50)
    mover.set(1060, at(-3, 4))
    expect(mover.pollSample(1100, 7, 50, writer)).toBe(51)
    putSample(expected, 7, 42, at(1, 2), 2)
    putSample(expected, 7, 42, at(1, 2), 2)
    putSample(expected, 7, 51, at(-3, 4), 2)
    expect(writer.take()).toEqual(expected.take())
  })

  it('M10: an echo ends them', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    mover.set(1000, at(1, 1))
    expect(sends(mover, 1060)).toEqual([1000, 1050])
    mover.handleEcho(1060, at(0, 1))
    expect(mover.due).toBe(1066)
    mover.handleEcho(1060, at(1, 1))
    expect(mover.due).toBe(Infinity)
  })

  it('M10: an echo of an earlier visit ends nothing', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    for (const [ms, x] of [
      [1000, 1],
      [1100, 2],
      [1200, 1],
    ] as const) {
      mover.set(ms, at(x))
      sends(mover, ms)
    }
    mover.handleEcho(1210, at(1))
    expect(mover.due).toBe(1250)
  })

  it('M10: 32 samples later a visit is forgotten', () => {
    for (const [others, due] of [
      [31, 9050],
      [32, Infinity],
    ] as const) {
      const mover = new Mover(TICK, 2, NO_BEAT)
      for (let x = 0; x <= others; x++) {
        mover.set(1000 + x * 100, at(x))
        sends(mover, 1000 + x * 100)
      }
      mover.set(9000, at(0))
      sends(mover, 9000)
      mover.handleEcho(9010, at(0))
      expect(mover.due).toBe(due)
    }
  })

  it('M10: they end in time without being sent, too', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    mover.set(1000, at(1))
    sends(mover, 1000)
    mover.pollSample(3999, 7, 1, new Writer())
    expect(mover.due).toBe(4000)
    mover.pollSample(4000, 7, 1, new Writer())
    expect(mover.due).toBe(Infinity)
  })

  it('M10: the 300 ms begin when the sample is sent', () => {
    const mover = new Mover(500, 2, NO_BEAT)
    mover.set(1000, at(1))
    sends(mover, 1000)
    mover.set(1001, at(2))
    const times = sends(mover, 5000)
    expect([times[0], times[16], times[17]]).toEqual([1034, 1324, 1824])
  })
})

describe('a beat', () => {
  it('M10: a slot is used once', () => {
    // Slots are at 1000, 1040, and so on.
    const mover = new Mover(40, 2, { ...NO_BEAT, slotAfter: (time) => Math.ceil(time / 40) * 40 })
    const times: number[] = []
    for (let ms = 1000; ms < 1200; ms++) {
      mover.set(ms, at(ms))
      if (mover.due > ms) continue
      mover.pollSample(ms, 1, 0, new Writer())
      times.push(ms)
    }
    expect(times).toEqual([1000, 1040, 1080, 1120, 1160])
  })

  it('M10: a frame tells whether what was sent for it came in time', () => {
    const told: boolean[] = []
    const send = (x: number): Mover => {
      const beat = { slotAfter: (time: number) => time, aim: () => 7, handleAimed: (made: boolean) => told.push(made) }
      const mover = new Mover(TICK, 2, beat)
      mover.set(1000, at(x))
      mover.pollSample(1000, 1, 0, new Writer())
      return mover
    }
    send(1).handleShown(7, at(1))
    send(2).handleShown(7, at(1))
    expect(told.splice(0)).toEqual([true, false])
    const lost = send(1)
    lost.handleShown(8, at(2))
    lost.handleShown(7, at(2))
    expect(told, 'the frame was lost').toEqual([])
    const mover = send(1)
    mover.handleShown(6, at(2))
    expect(told, 'still to come').toEqual([])
    mover.set(1001, at(3))
    mover.handleShown(7, at(1))
    mover.handleShown(7, at(1))
    expect(told, 'what was sent counts, once').toEqual([true])
  })
})

describe('pacing', () => {
  it('M10: of what is set within a tick the newest goes out', () => {
    const mover = new Mover(40, 2, NO_BEAT)
    mover.set(1000, at(1))
    expect(sends(mover, 1000)).toEqual([1000])
    for (let ms = 1001; ms < 1030; ms++) mover.set(ms, at(ms))
    expect(mover.due).toBe(1030)
    const writer = new Writer()
    const expected = new Writer()
    mover.pollSample(1029, 1, 1, writer)
    mover.pollSample(1030, 1, 1, writer)
    putSample(expected, 1, 2, at(1029), 2)
    expect(writer.take()).toEqual(expected.take())
  })

  it('M10: positions set all the time go out once a tick on average', () => {
    const mover = new Mover(40, 2, NO_BEAT)
    const times: number[] = []
    for (let ms = 1000; ms < 2000; ms++) {
      mover.set(ms, at(ms))
      times.push(...sends(mover, ms))
    }
    expect(times, '25 ticks, and a part of one early').toHaveLength(26)
    expect(times.slice(2).every((time, i) => time - times[i + 1]! === 40)).toBe(true)
  })

  it('M10: a position that none follows for 33 ms does not wait for its tick', () => {
    const mover = new Mover(200, 2, NO_BEAT)
    mover.set(1000, at(1))
    sends(mover, 1000)
    for (const ms of [1010, 1030, 1050]) {
      mover.set(ms, at(ms))
      expect(mover.due).toBe(ms + 33)
    }
    mover.set(1060, at(1050))
    expect(sends(mover, 1100), 'the same again is no newer position').toEqual([1083])
  })

  it('M10: a caller who is late once is not held up for it', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    for (const ms of [1000, 1050, 1110, 1150, 1200, 1250]) {
      mover.set(ms, at(ms))
      expect(mover.due).toBe(ms)
      sends(mover, ms)
    }
  })

  it('M10: repeats do not put off the next position', () => {
    const mover = new Mover(80, 2, NO_BEAT)
    mover.set(1000, at(1))
    expect(sends(mover, 1051), 'a slow tick is not waited for').toEqual([1000, 1050])
    mover.set(1051, at(2))
    expect(mover.due).toBe(1080 - 80 / 4)
  })

  it('M10: with a beat the newest goes out in the next slot, once in an interval', () => {
    const slots = [1_010, 1_060, 1_110]
    const mover = new Mover(TICK, 2, { ...NO_BEAT, slotAfter: (time) => slots.find((slot) => slot >= time) })
    for (const [ms, slot] of [
      [1_002, 1_010],
      [1_009, 1_010],
      [1_012, 1_060],
      [1_059, 1_060],
    ] as const) {
      mover.set(ms, at(ms))
      expect(mover.due).toBe(slot)
      if (ms % 10 === 9) sends(mover, slot)
    }
    mover.set(1_070, at(1_070))
    expect(mover.due).toBe(1_110)
  })

  it('M10: what was sent is not sent anew', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    expect(mover.due).toBe(Infinity)
    mover.set(1000, at(1))
    sends(mover, 5000)
    mover.set(5000, at(1))
    expect(mover.due).toBe(Infinity)
  })

  it('M10: a position is copied, with all its axes', () => {
    const mover = new Mover(TICK, 3, NO_BEAT)
    const position = Int32Array.of(1, 2, 3)
    mover.set(1000, position)
    position[2] = 9
    mover.set(1000, position)
    position.fill(0)
    const writer = new Writer()
    mover.pollSample(1000, 1, 0, writer)
    expect([...writer.take()]).toEqual([2, 1, 1, 2, 4, 18])
  })
})

describe('the time of an echo', () => {
  it('M10: is the time since its position was set, once', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    mover.set(1000.25, at(1))
    sends(mover, 1001)
    mover.set(1010, at(2))
    sends(mover, 1050)
    expect(mover.handleEcho(1060.5, at(1)), 'though a newer is sent').toBe(60.25)
    expect(mover.handleEcho(1061, at(1))).toBeNaN()
    expect(mover.handleEcho(1062, at(2))).toBe(52)
    expect(mover.handleEcho(1062, at(3))).toBeNaN()
  })

  it('M10: is not known for a place that was sent twice', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    for (const [ms, x] of [
      [1000, 1],
      [1100, 2],
      [1200, 1],
    ] as const) {
      mover.set(ms, at(x))
      sends(mover, ms)
    }
    expect(mover.handleEcho(1210, at(1))).toBeNaN()
    expect(mover.handleEcho(1210, at(2))).toBe(110)
  })

  it('M10: is not known before the position is sent', () => {
    const mover = new Mover(TICK, 2, NO_BEAT)
    mover.set(1000, at(1))
    expect(mover.handleEcho(1000, at(1))).toBeNaN()
    sends(mover, 1000)
    expect(mover.handleEcho(1030, at(1))).toBe(30)
  })
})
