import { expect, it } from 'vitest'
import { NOBODY } from './coder.ts'
import { WINDOW } from './frame.ts'
import { Track } from './track.ts'

function record(track: Track, tick: number): void {
  track.record(tick, Int32Array.of(7, 0, tick % 256, tick, -tick), 1)
}

/** The point that begins there, without its tick. */
function point(track: Track, start: number): number[] | undefined {
  return start < 0 ? undefined : [...track.points.subarray(start + 1, start + 4)]
}

it('M5: a point holds until the next', () => {
  const track = new Track(2)
  for (const tick of [10, 20, 30]) record(track, tick)
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
})

it('M5: nobody is there from a point that says so on', () => {
  const track = new Track(2)
  record(track, 10)
  track.record(20, Int32Array.of(0, NOBODY, 0, 0), 0)
  record(track, 30)
  expect([19, 20, 29, 30].map((tick) => point(track, track.at(tick))?.[1])).toEqual([10, undefined, undefined, 30])
})

it('M5: the oldest point can be where the slot is again, while its place in memory is taken', () => {
  const track = new Track(2)
  for (let tick = 1; tick <= 33; tick++) record(track, tick)
  const start = track.at(1)
  expect(track.isLatest(track.points, start)).toBe(false)
  track.record(34, track.points, start)
  expect(point(track, track.latest)).toEqual([1, 1, -1])
  expect(track.isLatest(Int32Array.of(9, 1, 1, -1), 0)).toBe(true)
  expect(point(track, track.at(2))).toEqual([2, 2, -2])
})

it('M3: ticks have 32 bits', () => {
  const track = new Track(2)
  record(track, 2 ** 31 - 1)
  record(track, 2 ** 32 - 1)
  expect(point(track, track.at(2 ** 32 - 2))?.[1]).toBe(2 ** 31 - 1)
  expect(point(track, track.latest)?.[0]).toBe(255)
})
