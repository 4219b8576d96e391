// The golden vectors of motion: what the Rust side writes and reads, here too.

import { describe, expect, it } from 'vitest'
import { fromHex, toHex, vectors } from '../testing/vectors.ts'
import { axesOf, type MotionVector } from '../testing/motion-vectors.ts'
import { DecodeError, Reader, Writer } from '../wire/bytes.ts'
import { AXIS_LIMIT, slotsPerPart } from './axes.ts'
import { type FrameHeader, readFrameHeader, WINDOW } from './frame.ts'
import { putAck, putSample } from './upward.ts'
import { View } from './view.ts'

interface Limits {
  limits: { axis_limit: number }
  motion: { baseline_window_ticks: number; slots_per_part: number[] }
}

interface Upward {
  name: string
  hex: string
  motion: MotionVector
  records: {
    sample?: { room: number; number: number; position: number[] }
    ack?: { room: number; tick: number; parts: number[] }
  }[]
}

interface Place {
  slot: number
  generation: number
  position: number[]
}

interface Sequence {
  name: string
  motion: MotionVector
  room: number
  epoch: number
  steps: Step[]
}

interface Step {
  about: string
  hex: string
  frame: { tick: number; epoch_check: number; parts: unknown[] } | null
  ack: string | null
  error: string | null
  held: number[]
  moved: number[]
  unusable: boolean
  view: Place[]
}

it('M2, M4, M5: the numbers are those of limits.json', () => {
  const { limits, motion } = vectors<Limits>('limits.json')
  expect([1, 2, 3, 4].map(slotsPerPart)).toEqual(motion.slots_per_part)
  expect(WINDOW).toBe(motion.baseline_window_ticks)
  expect(AXIS_LIMIT).toBe(limits.axis_limit)
})

describe('motion_up.json', () => {
  for (const { name, hex, motion, records } of vectors<{ datagrams: Upward[] }>('motion_up.json').datagrams) {
    it(`M8: ${name}`, () => {
      const writer = new Writer()
      for (const { sample, ack } of records) {
        if (sample) putSample(writer, sample.room, sample.number, Int32Array.from(sample.position), motion.a.length)
        if (ack) putAck(writer, ack.room, ack.tick, words(ack.parts))
      }
      expect(toHex(writer.take())).toBe(hex)
    })
  }
})

describe('motion_down.json', () => {
  for (const { name, motion, room, epoch, steps } of vectors<{ sequences: Sequence[] }>('motion_down.json').sequences) {
    it(`M3, M5, M6, M7: ${name}`, () => {
      const view = new View(axesOf(motion), motion.hz, epoch)
      for (const step of steps) expect(take(view, room, step), step.about).toEqual(step)
    })
  }
})

/** The step as it turns out here. */
function take(view: View, room: number, step: Step): Step {
  const header: FrameHeader = { room: 0, epochCheck: 0, tick: 0 }
  const reader = new Reader(fromHex(step.hex))
  const moved: number[] = []
  let { frame, error } = step
  let isFaulty = false
  let ack: string | null = null
  let held: number[] = []
  let unusable = false
  expect(reader.u8()).toBe(1)
  try {
    readFrameHeader(reader, header)
    expect(header.room).toBe(room)
    frame = { tick: header.tick, epoch_check: header.epochCheck, parts: frame?.parts ?? [] }
    view.handleFrame(header, reader, (slot, generation, position) => {
      if (position) expect(step.view).toContainEqual({ slot, generation, position: [...position] })
      else expect(step.view.every((place) => place.slot !== slot)).toBe(true)
      moved.push(slot)
    })
    held = Array.from({ length: 128 }, (_, i) => i).filter((i) => (view.parts[i >> 5]! >>> (i & 31)) & 1)
    unusable = view.isUnusable
    if (view.hasParts) {
      const writer = new Writer()
      putAck(writer, room, header.tick, view.parts)
      ack = toHex(writer.take())
    }
  } catch (thrown) {
    if (!(thrown instanceof DecodeError)) throw thrown
    isFaulty = true
  }
  // Reasons have names in Rust only.
  if (isFaulty !== (error !== null)) error = `faulty: ${isFaulty}`
  return {
    about: step.about,
    hex: step.hex,
    frame,
    ack,
    error,
    held,
    moved: moved.sort((a, b) => a - b),
    unusable,
    view: all(view),
  }
}

/** Every slot's newest position, whatever its generation. */
function all(view: View): Place[] {
  const places: Place[] = []
  const position = new Int32Array(view.axes.length)
  for (let slot = 0; slot < 4096; slot++) {
    for (let generation = 0; generation < 256; generation++) {
      if (view.read(slot, generation, position) >= 0) places.push({ slot, generation, position: [...position] })
    }
  }
  return places
}

function words(parts: number[]): Uint32Array {
  const words = new Uint32Array(4)
  for (const part of parts) words[part >> 5]! |= 1 << (part & 31)
  return words
}
