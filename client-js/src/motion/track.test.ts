import { expect, it } from 'vitest'
import { WINDOW } from './frame.ts'
import { Track } from './track.ts'

function record(track: Track, tick: number): boolean {
  return track.record(tick, Int32Array.of(0, tick % 256, tick, -tick), 0)
}

/** The point that begins there, without its tick. */
function point(track: Track, start: number): number[] | undefined {
  return start < 0 ? undefined : [...track.points.subarray(start + 1, start + 4)]
}

it('M5: a point holds until the next', () => {
  const track = new Track(2)
  expect([10, 30, 20].map((tick) => record(track, tick))).toEqual([true, true, false])
  expect(point(track, track.at(9))).toBeUndefined()
  expect(point(track, track.at(10))).toEqual([10, 10, -10])
  expect(point(track, track.at(29))).toEqual([20, 20, -20])
  expect(point(track, track.at(1000))).toEqual([30, 30, -30])
  expect(point(track, track.latest)).toEqual([30, 30, -30])
})

it('M5: the window and the point before it are kept', () => {
  const track = new Track(2)
  for (let tick = 1; tick <= 100; tick++) record(track, tick)
  expect(point(track, track.at(100 - WINDOW))).toEqual([68, 68, -68])
  expect(track.at(100 - WINDOW - 1)).toBe(-1)
  expect(record(track, 5)).toBe(false)
  expect(point(track, track.at(68)), 'a late old point pushes nothing out').toEqual([68, 68, -68])
})

it('M5: a late point of the window takes its place among 33, and the oldest goes', () => {
  const track = new Track(2)
  for (let tick = 2; tick <= 70; tick += 2) record(track, tick)
  expect(record(track, 41)).toBe(false)
  for (let tick = 8; tick <= 70; tick++) {
    const at = tick === 41 ? 41 : tick - (tick % 2)
    expect(point(track, track.at(tick))).toEqual([at, at, -at])
  }
  expect(track.at(7)).toBe(-1)
})

it('M3: ticks have 32 bits', () => {
  const track = new Track(2)
  record(track, 2 ** 31 - 1)
  record(track, 2 ** 32 - 1)
  expect(point(track, track.at(2 ** 32 - 2))?.[1]).toBe(2 ** 31 - 1)
  expect(point(track, track.latest)?.[0]).toBe(255)
})
