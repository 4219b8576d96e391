// Writes frames as a server would, for tests of those who read them (rules M3 to M6).

import { type Axis, AXIS_LIMIT, difference, slotsPerPart } from '../motion/axes.ts'
import { FRAME } from '../motion/frame.ts'
import { type Header, momentum } from '../motion/model.ts'
import type { Writer } from '../wire/bytes.ts'
import {
  Encoder,
  isJump,
  putDifferences,
  putHeader,
  putJumped,
  putMore,
  putMoved,
  putNumber,
  putPlace,
  putPlaced,
} from './encoder.ts'

/** A part of a frame. What is known and the entries are in the order of their slots. */
export interface PartToPut {
  index: number
  /** The tick that moves are against. */
  baseline?: number | undefined
  /** The tick before it that tells momentum. */
  reference?: number | undefined
  /** All slots that the viewer knows at the baseline. */
  known?: readonly KnownToPut[]
  /** Those that have something to say. */
  entries: readonly EntryToPut[]
}

/** Where a slot was at the baseline, and before that at the reference. */
export interface KnownToPut {
  slot: number
  generation: number
  position: readonly number[]
  before?: readonly number[] | undefined
}

/** Where a slot is now; without a position nobody is to be seen there any more. */
export interface EntryToPut {
  slot: number
  generation: number
  position?: readonly number[]
}

/** An axis without bounds. */
export const OPEN: Axis = { step: 1, min: -AXIS_LIMIT, max: AXIS_LIMIT - 1, wraps: false }

/** So many axes without bounds. */
export function openAxes(count: number): Axis[] {
  return Array.from({ length: count }, () => OPEN)
}

/** Appends a frame, of a room with two open axes and 20 ticks in a second if nothing else is said. */
export function putFrame(
  writer: Writer,
  room: number,
  epoch: number,
  tick: number,
  parts: readonly PartToPut[],
  axes: readonly Axis[] = openAxes(2),
  tickHz = 20,
): void {
  writer.u8(FRAME)
  writer.varint(room)
  writer.u8(epoch % 256)
  writer.varint(tick)
  const encoder = new Encoder()
  let last: Header | undefined
  for (const part of parts) {
    const { index, baseline = tick, reference = baseline } = part
    const header = { index, age: tick - baseline, lag: baseline - reference }
    if (last) putMore(encoder, true)
    putHeader(encoder, last, header)
    putEntries(encoder, header, part, axes, tickHz)
    last = header
  }
  putMore(encoder, false)
  encoder.finish(writer)
}

function putEntries(
  encoder: Encoder,
  { index, age, lag }: Header,
  { known = [], entries }: PartToPut,
  axes: readonly Axis[],
  tickHz: number,
): void {
  for (const { slot, generation, position, before = position } of known) {
    const momenta = axes.map((axis, at) => momentum(difference(axis, position[at]!, before[at]!), lag, age))
    const entry = entries.find((entry) => entry.slot === slot)
    putMoved(encoder, momenta, (age * 1_000) / tickHz, entry !== undefined)
    if (!entry) continue
    const { position: to, generation: now } = entry
    const differences = to && axes.map((axis, at) => difference(axis, to[at]!, position[at]!))
    if (differences && now % 256 === generation % 256 && !isJump(momenta, differences)) {
      putJumped(encoder, false)
      putDifferences(encoder, momenta, differences)
    } else {
      putJumped(encoder, true, !to)
      if (to) putPlace(encoder, now, to)
    }
  }
  const first = index * slotsPerPart(axes.length)
  let next = first
  for (const { slot, generation, position } of entries) {
    if (!position || known.some((one) => one.slot === slot)) continue
    putPlaced(encoder, next === first, true)
    putNumber(encoder, slot - next)
    putPlace(encoder, generation, position)
    next = slot + 1
  }
  putPlaced(encoder, next === first, false)
}
