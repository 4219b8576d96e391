// What motion allocates, apart from what it does: measured with a collector that runs only when it is told to.

import { expect, it } from 'vitest'
import { Mover } from '../session/mover.ts'
import { allocatedByEach, gc } from '../testing/allocated.ts'
import { type KnownToPut, openAxes, putFrame } from '../testing/frames.ts'
import { Reader, Writer } from '../wire/bytes.ts'
import { type FrameHeader, readFrameHeader } from './frame.ts'
import { putAck } from './upward.ts'
import { type Moved, View } from './view.ts'

const header: FrameHeader = { room: 0, epochCheck: 0, tick: 0 }

function handle(view: View, reader: Reader, moved: Moved): void {
  reader.u8()
  readFrameHeader(reader, header)
  view.handleFrame(header, reader, moved)
}

it('M6: what no frame names costs nothing', () => {
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
  const writer = new Writer()
  putFrame(writer, 7, 1, 1, [{ index: 63, entries: [{ slot: 4095, generation: 0, position: [1, 1] }] }])
  const views = Array.from({ length: 1000 }, () => new View(openAxes(2), 20, 1))
  gc()
  const before = used()
  for (const view of views) handle(view, new Reader(writer.take()), () => {})
  gc()
  expect((used() - before) / views.length).toBeLessThan(4096)
  expect(views.every((view) => view.hasParts)).toBe(true)
})

it('M6, M7: 20,000 frames of 64 known slots, 16 of which move, and their acks, allocate nothing', () => {
  const MOVING = 16
  const view = new View(openAxes(2), 20, 1)
  const acks = new Writer()
  const into = new Int32Array(2)
  let tick = 0
  let moves = 0
  const moved: Moved = (slot, generation, position) => {
    if (view.read(slot, generation, into) >= 0 && into[0] === position?.[0]) moves++
  }
  const positionAt = (slot: number, tick: number): number[] =>
    slot < MOVING ? [(tick % 2) * 30 + slot, tick % 3] : [slot, 0]
  const at = (tick: number): KnownToPut[] =>
    Array.from({ length: 64 }, (_, slot) => ({
      slot,
      generation: 0,
      position: positionAt(slot, tick),
      before: positionAt(slot, tick - 1),
    }))
  const encode = (tick: number, lag: 0 | 1): Uint8Array => {
    const known = at(tick - 1).map((one) => (lag ? one : { ...one, before: undefined }))
    const writer = new Writer()
    const entries = at(tick).slice(0, MOVING)
    putFrame(writer, 7, 1, tick, [{ index: 0, baseline: tick - 1, reference: tick - 1 - lag, known, entries }])
    return writer.take()
  }
  // But for the tick, which is the fourth byte, a frame is that of six ticks ago: encoding all would take long.
  const bodies = Array.from({ length: 6 }, (_, at) => encode(6 + at, 1).subarray(4))
  const makeFrame = (): Reader => {
    tick++
    const writer = new Writer()
    if (tick === 1) putFrame(writer, 7, 1, tick, [{ index: 0, entries: at(tick) }])
    else if (tick === 2) writer.bytes(encode(tick, 0))
    else {
      writer.bytes(Uint8Array.of(1, 7, 1))
      writer.varint(tick)
      writer.bytes(bodies[tick % 6]!)
    }
    return new Reader(writer.take())
  }
  const takeFrame = (reader: Reader): void => {
    handle(view, reader, moved)
    acks.clear()
    if (view.hasParts) putAck(acks, header.room, header.tick, view.parts)
  }
  expect(allocatedByEach(makeFrame, takeFrame)).toBeLessThan(8)
  expect(moves).toBe(64 - MOVING + tick * MOVING)
})

it('M10: 20,000 moves of the own member allocate no more than the engine does for times', () => {
  const mover = new Mover(1000 / 30, 2, { slotAfter: () => undefined, aim: () => NaN, handleAimed: () => {} })
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
