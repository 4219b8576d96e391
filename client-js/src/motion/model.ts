// The model of a pointer's motion: which decisions say what moved and where to, and in which context each is made
// (rule M6). It stands apart from the decoder, which is told the contexts, and from the frames, which know the slots.

import type { Decoder } from './range.ts'

/**
 * Behind a baseline so much older than the frame, or a reference so much older than the baseline, a slot's momentum
 * says nothing, and is taken for none.
 */
const MOMENTUM_TICKS_MAX = 8
/** Momentum and what is left are counted no further than this. */
const MAGNITUDE_MAX = 2 ** 24

const SPANS = 4
const SPEEDS = 12
const LEVELS = 20
const CLASSES = 14
const SIGN_LEVELS = 10
const SIGN_CLASSES = 7

/** The contexts, one after the other as the table has them. */
export const MOVED = 0
export const LEFT: number = MOVED + SPANS * SPEEDS
export const SIGN: number = LEFT + 2 * LEVELS * CLASSES
export const TOP: number = SIGN + SIGN_LEVELS * SIGN_CLASSES
/** A known slot that has something to say does something else than to move on. */
export const JUMPED: number = TOP + CLASSES
/** It is not to be seen any more; else it is somebody's elsewhere. */
export const GONE: number = JUMPED + 1
/** A slot that is not known follows, the first of this part. */
export const PLACED: number = GONE + 1
/** Another one does. */
export const PLACED_MORE: number = PLACED + 1
/** A part follows in this datagram. */
export const PART_MORE: number = PLACED_MORE + 1
/** Its header is what one expects behind that of the part before it. */
export const PART_NEXT: number = PART_MORE + 1

/** What stands before a part's entries, as distances. */
export interface Header {
  /** Which range of slots it is; -1 before the first. */
  index: number
  /** How many ticks the baseline lies before the frame; 0: there is none. */
  age: number
  /** How many ticks the reference lies before the baseline; 0: there is none. */
  lag: number
}

/**
 * How fast a slot moved on an axis before its baseline, which is `age` ticks ago: twice the distance that it would go
 * until the frame's tick. `difference` is what it moved in the `lag` ticks before the baseline.
 */
export function momentum(difference: number, lag: number, age: number): number {
  if (lag === 0 || lag > MOMENTUM_TICKS_MAX || age > MOMENTUM_TICKS_MAX) return 0
  const ahead = Math.trunc((difference * 2 * age) / lag)
  return Math.min(Math.max(ahead, -MAGNITUDE_MAX), MAGNITUDE_MAX)
}

/**
 * Whether a slot that is known at the baseline has something to say. `momenta` are those of four axes, `spanMs` is the
 * baseline's age.
 */
export function readMoved(decoder: Decoder, momenta: Int32Array, spanMs: number): boolean {
  let fastest = 0
  for (let axis = 0; axis < 4; axis++) fastest = Math.max(fastest, Math.abs(momenta[axis]!))
  const span = Math.min(Math.floor(spanMs / 20), SPANS - 1)
  return decoder.decide(MOVED + span * SPEEDS + Math.min(level(fastest), SPEEDS - 1))
}

/** Puts what a slot moved on the first `axes` axes into `into`. */
export function readDifferences(decoder: Decoder, axes: number, momenta: Int32Array, into: Float64Array): void {
  let leftBefore = 0
  for (let axis = 0; axis < axes; axis++) {
    const own = momenta[axis]!
    const speed = Math.abs(own)
    const energy = 4 * speed + Math.abs(momenta[axis ? axis - 1 : 1]!) + 4 * leftBefore
    const context = LEFT + (Number(axis > 0) * LEVELS + Math.min(level(energy), LEVELS - 1)) * CLASSES
    const left = readLeft(decoder, context, Math.min(level(speed), SIGN_LEVELS - 1))
    // What goes on in the same direction is positive.
    into[axis] = (own < 0 ? -left : left) + Math.trunc(own / 4)
    leftBefore = Math.min(Math.abs(left), MAGNITUDE_MAX)
  }
}

/** A signed number: its class, which is the number of its bits, one by one; its sign; and its bits below the first. */
function readLeft(decoder: Decoder, context: number, speed: number): number {
  let bits = 0
  while (bits < 32 && decoder.decide(context + Math.min(bits, CLASSES - 1))) bits++
  if (bits === 0) return 0
  const isNegative = decoder.decide(SIGN + speed * SIGN_CLASSES + Math.min(bits, SIGN_CLASSES) - 1)
  let magnitude = 1
  if (bits > 1) {
    const top = decoder.decide(TOP + Math.min(bits, CLASSES) - 1)
    magnitude = (top ? 3 : 2) * 2 ** (bits - 2) + decoder.raw(bits - 2)
  }
  return isNegative ? -magnitude : magnitude
}

/** A value of a place that has nothing to start from. */
export function readValue(decoder: Decoder): number {
  const zigzag = decoder.raw(decoder.raw(5) + 1)
  return (zigzag >>> 1) ^ -(zigzag & 1)
}

/** Reads the header behind `header` into it. */
export function readHeader(decoder: Decoder, header: Header): void {
  const isNext = header.index >= 0 && decoder.decide(PART_NEXT)
  header.index++
  if (isNext) return
  header.index += readNumber(decoder)
  header.age = readNumber(decoder)
  header.lag = header.age && readNumber(decoder)
}

/** A number of 32 bits that is small most of the time: Elias' gamma code of the number above it. */
export function readNumber(decoder: Decoder): number {
  let bits = 0
  while (bits < 32 && decoder.raw(1)) bits++
  return Math.min(2 ** bits + decoder.raw(bits), 2 ** 32) - 1
}

/** Twice the binary logarithm, of 0: 0; each level is half as wide again as the one before. */
export function level(value: number): number {
  if (value < 2) return value
  const bits = 32 - Math.clz32(value)
  return 2 * bits - 2 + ((value >> (bits - 2)) & 1)
}
