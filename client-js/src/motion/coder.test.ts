// The golden vectors of the motion coder: its table, its streams of decisions, and single parts.

import { describe, expect, it } from 'vitest'
import { Encoder } from '../testing/encoder.ts'
import { putFrame } from '../testing/frames.ts'
import { axesOf, type MotionVector } from '../testing/motion-vectors.ts'
import { fromHex, toHex, vectors } from '../testing/vectors.ts'
import { Reader, Writer } from '../wire/bytes.ts'
import { slotsPerPart } from './axes.ts'
import { HEAD, NOBODY, PartsDecoder } from './coder.ts'
import { GONE, JUMPED, LEFT, MOVED, PART_MORE, PART_NEXT, PLACED, PLACED_MORE, SIGN, TOP } from './model.ts'
import { Decoder } from './range.ts'
import { TABLE } from './table.ts'

interface Stream {
  about: string
  hex: string
  decisions: ([context: number, bit: 0 | 1] | ['raw', count: number, value: number])[]
}

interface Part {
  about: string
  hex: string
  motion: MotionVector
  tick: number
  index: number
  baseline: number | null
  reference: number | null
  known: { offset: number; generation: number; position: number[]; reference: number[] | null }[]
  entries: { offset: number; generation?: number; moved?: number[]; appeared?: number[]; vanished?: true }[]
}

const file = vectors<{ contexts: Record<string, number>; table: number[][]; streams: Stream[]; parts: Part[] }>(
  'motion_coder.json',
)

it('M6: the table and its contexts are those of the vectors', () => {
  // In base64, as the table's source has it.
  expect(Buffer.from(TABLE).toString('base64')).toBe(Buffer.from(file.table.flat()).toString('base64'))
  expect({
    moved: MOVED,
    left: LEFT,
    sign: SIGN,
    top: TOP,
    jumped: JUMPED,
    gone: GONE,
    placed: PLACED,
    placed_more: PLACED_MORE,
    part_more: PART_MORE,
    part_next: PART_NEXT,
  }).toEqual(file.contexts)
})

describe('a stream', () => {
  it.each(file.streams)('M6: $about', ({ hex, decisions }) => {
    const encoder = new Encoder()
    const decoder = new Decoder()
    decoder.begin(new Reader(fromHex(hex)))
    for (const decision of decisions) {
      if (decision[0] === 'raw') {
        const [, count, value] = decision
        encoder.raw(count, value)
        expect(decoder.raw(count)).toBe(value)
      } else {
        const [context, bit] = decision
        encoder.decide(context, bit === 1)
        expect(decoder.decide(context)).toBe(bit === 1)
      }
    }
    const writer = new Writer()
    encoder.finish(writer)
    expect(toHex(writer.take())).toBe(hex)
  })
})

describe('a part', () => {
  it.each(file.parts)('M6: $about, read', ({ hex, motion, tick, index, baseline, reference, known, entries }) => {
    const count = motion.a.length
    const decoder = new PartsDecoder(axesOf(motion), motion.hz)
    decoder.begin(new Reader(fromHex(hex)), tick)
    expect(decoder.next()).toBe(true)
    expect([decoder.header.index, decoder.baseline, decoder.reference]).toEqual([
      index,
      baseline ?? -1,
      reference ?? -1,
    ])
    decoder.known.fill(NOBODY)
    for (const { offset, generation, position, reference } of known) {
      decoder.known.set([generation, ...position, ...(reference ?? position)], offset * (1 + 2 * count))
    }
    const read = Array.from({ length: decoder.readEntries() }, (_, entry) => {
      const at = entry * (HEAD + count)
      return [...decoder.entries.subarray(at, at + HEAD + count)]
    })
    const expected = entries.map(({ offset, generation, moved, appeared }) => [
      offset,
      moved ? known.find((one) => one.offset === offset)!.generation : (generation ?? NOBODY),
      ...(moved ?? appeared ?? Array<number>(count).fill(0)),
    ])
    expect(read).toEqual(expected)
    expect(decoder.next()).toBe(false)
  })

  it.each(file.parts)('M6: $about, written', ({ hex, motion, tick, index, baseline, reference, known, entries }) => {
    const axes = axesOf(motion)
    const slot = (offset: number): number => index * slotsPerPart(axes.length) + offset
    const part = {
      index,
      baseline: baseline ?? undefined,
      reference: reference ?? undefined,
      known: known.map(({ offset, generation, position, reference }) => ({
        slot: slot(offset),
        generation,
        position,
        before: reference ?? undefined,
      })),
      entries: entries.map(({ offset, generation, moved, appeared }) => ({
        slot: slot(offset),
        generation: generation ?? known.find((one) => one.offset === offset)!.generation,
        position: moved ?? appeared!,
      })),
    }
    const writer = new Writer()
    putFrame(writer, 7, 1, tick, [part], axes, motion.hz)
    // The header has a byte each for kind, room and epoch, and two for the tick.
    expect(toHex(writer.take().subarray(5))).toBe(hex)
  })
})
