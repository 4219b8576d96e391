// What motion allocates, apart from what it does: measured with a collector that runs only when it is told to.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { Mover } from '../session/mover.ts'
import { putFrame } from '../testing/frames.ts'
import { Reader, Writer } from '../wire/bytes.ts'
import { type FrameHeader, readFrameHeader } from './frame.ts'
import { putAck } from './upward.ts'
import { type Moved, View } from './view.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void
const header: FrameHeader = { room: 0, epochCheck: 0, tick: 0, parts: 0 }

function handle(view: View, reader: Reader, moved: Moved): void {
  reader.u8()
  readFrameHeader(reader, header)
  view.handleFrame(header, reader, moved)
}

/** The bytes that a run of `act` allocates once it is warm, each time with something that was made before. */
function allocatedByEach<T>(make: () => T, act: (made: T) => void): number {
  // So few in a round that not even a wasteful `act` brings a collection within it, which would hide the waste.
  const RUNS = 500
  const rounds = Array.from({ length: 40 }, () => {
    const made = Array.from({ length: RUNS }, make)
    gc()
    const before = process.memoryUsage().heapUsed
    // An iterator would allocate.
    for (let run = 0; run < RUNS; run++) act(made[run]!)
    return (process.memoryUsage().heapUsed - before) / RUNS
  })
  // In some rounds the engine compiles, and allocates for itself.
  return Math.min(...rounds)
}

it('M6: what no frame names costs nothing', () => {
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
  const writer = new Writer()
  putFrame(writer, 7, 1, 1, [{ index: 63, baseline: 0, entries: [{ slot: 4095, generation: 0, values: [1, 1] }] }])
  const views = Array.from({ length: 1000 }, () => new View(2, 1))
  gc()
  const before = used()
  for (const view of views) handle(view, new Reader(writer.take()), () => {})
  gc()
  expect((used() - before) / views.length).toBeLessThan(4096)
  expect(views.every((view) => view.hasParts)).toBe(true)
})

it('M6, M7: 20,000 frames of 64 known slots, and their acks, allocate nothing', () => {
  const SLOTS = 64
  const view = new View(2, 1)
  const acks = new Writer()
  const into = new Int32Array(2)
  let tick = 0
  let moves = 0
  const moved = (slot: number, generation: number, position: Int32Array): void => {
    if (view.read(slot, generation, into) && into[0] === position[0]) moves++
  }
  const makeFrame = (): Reader => {
    tick++
    const values = [tick % 2 ? 30 : -30, tick % 3]
    const slots = Array.from({ length: SLOTS }, (_, slot) => slot)
    const entries = slots.map((slot) => (tick === 1 ? { slot, generation: 0, values } : { slot, values }))
    const writer = new Writer()
    putFrame(writer, 7, 1, tick, [{ index: 0, baseline: tick - 1, entries }])
    return new Reader(writer.take())
  }
  const takeFrame = (reader: Reader): void => {
    handle(view, reader, moved)
    acks.clear()
    if (view.hasParts) putAck(acks, header.room, header.tick, view.parts)
  }
  expect(allocatedByEach(makeFrame, takeFrame)).toBeLessThan(8)
  expect(moves).toBe(tick * SLOTS)
})

it('M10: 20,000 moves of the own member allocate no more than the engine does for times', () => {
  const mover = new Mover(1000 / 30, 2)
  const writer = new Writer()
  let made = 0
  let number = 0
  const makeMove = (): { now: number; position: Int32Array } => {
    made++
    return { now: made * 33.4, position: Int32Array.of(made, -made) }
  }
  const takeMove = ({ now, position }: { now: number; position: Int32Array }): void => {
    mover.set(now, position)
    writer.clear()
    number = mover.pollSample(now, 7, number, writer)
    if (mover.handleEcho(now + 9.5, position) > 10) number = 0
  }
  // A number with a fraction takes 16 bytes wherever a function that was not inlined returns it.
  expect(allocatedByEach(makeMove, takeMove)).toBeLessThan(64)
  expect(number).toBe(made)
})
