// Writes what the motion decoder reads, decision by decision, apart from what frames say: for tests only (rule M6).

import { level } from '../motion/model.ts'
import * as context from '../motion/model.ts'
import { TABLE } from '../motion/table.ts'
import type { Writer } from '../wire/bytes.ts'

/** The other end of `Decoder`. */
export class Encoder {
  readonly #bytes: number[] = []
  #low = 0
  #high = 0xffffffff

  decide(context: number, bit: boolean): void {
    this.#put(TABLE[context]! * 256 + 128, bit)
  }

  raw(count: number, value: number): void {
    for (let place = count - 1; place >= 0; place--) this.#put(2 ** 15, Math.floor(value / 2 ** place) % 2 === 1)
  }

  /** Appends all to `writer`, with the fewest bytes that decode to what has been decided. */
  finish(writer: Writer): void {
    for (let count = 0; count <= 4; count++) {
      const step = 2 ** (32 - 8 * count)
      const value = Math.ceil(this.#low / step) * step
      if (value > this.#high) continue
      for (let byte = 0; byte < count; byte++) this.#bytes.push(Math.floor(value / 2 ** (24 - 8 * byte)) % 256)
      break
    }
    for (const byte of this.#bytes) writer.u8(byte)
  }

  #put(one: number, bit: boolean): void {
    const middle = this.#low + Math.floor(((this.#high - this.#low) * one) / 65_536)
    if (bit) this.#high = middle
    else this.#low = middle + 1
    while (Math.floor(this.#low / 2 ** 24) === Math.floor(this.#high / 2 ** 24)) {
      this.#bytes.push(Math.floor(this.#high / 2 ** 24))
      this.#low = (this.#low * 256) % 2 ** 32
      this.#high = ((this.#high * 256) % 2 ** 32) + 255
    }
  }
}

/** Whether a known slot has an entry. `momenta` are those of the room's axes, `spanMs` is the baseline's age. */
export function putMoved(encoder: Encoder, momenta: readonly number[], spanMs: number, hasMoved: boolean): void {
  const speed = Math.min(level(Math.max(...momenta.map(Math.abs))), 11)
  encoder.decide(context.MOVED + Math.min(Math.floor(spanMs / 20), 3) * 12 + speed, hasMoved)
}

/** Whether a move is so far off what was expected that it is written as a place (rule M4). */
export function isJump(momenta: readonly number[], differences: readonly number[]): boolean {
  return differences.some((difference, axis) => Math.abs(difference - Math.trunc(momenta[axis]! / 4)) >= 2 ** 16)
}

/** How far a slot went on each axis. */
export function putDifferences(encoder: Encoder, momenta: readonly number[], differences: readonly number[]): void {
  let before = 0
  for (const [axis, difference] of differences.entries()) {
    const own = momenta[axis]!
    const other = momenta[axis === 0 ? 1 : axis - 1] ?? 0
    const energy = Math.min(level(4 * Math.abs(own) + Math.abs(other) + 4 * before), 19)
    const left = (difference - Math.trunc(own / 4)) * (own < 0 ? -1 : 1)
    putLeft(encoder, context.LEFT + (axis > 0 ? 20 * 14 : 0) + energy * 14, Math.min(level(Math.abs(own)), 9), left)
    before = Math.min(Math.abs(left), 2 ** 24)
  }
}

/** Whether a slot that has an entry does something else than to move, and then whether nobody is there any more. */
export function putJumped(encoder: Encoder, hasJumped: boolean, isGone = false): void {
  encoder.decide(context.JUMPED, hasJumped)
  if (hasJumped) encoder.decide(context.GONE, isGone)
}

/** A generation's low byte, and a position. */
export function putPlace(encoder: Encoder, generation: number, position: readonly number[]): void {
  encoder.raw(8, generation % 256)
  for (const value of position) {
    const zigzag = value < 0 ? -2 * value - 1 : 2 * value
    const bits = Math.max(zigzag.toString(2).length, 1)
    encoder.raw(5, bits - 1)
    encoder.raw(bits, zigzag)
  }
}

/** Whether a slot that is not known follows. */
export function putPlaced(encoder: Encoder, isFirst: boolean, follows: boolean): void {
  encoder.decide(isFirst ? context.PLACED : context.PLACED_MORE, follows)
}

/** Whether another part follows. */
export function putMore(encoder: Encoder, follows: boolean): void {
  encoder.decide(context.PART_MORE, follows)
}

/** A part's header behind that of the part before it, if there is one. */
export function putHeader(encoder: Encoder, last: context.Header | undefined, header: context.Header): void {
  const { index, age, lag } = header
  if (last) {
    const isNext = index === last.index + 1 && age === last.age && lag === last.lag
    encoder.decide(context.PART_NEXT, isNext)
    if (isNext) return
  }
  putNumber(encoder, index - (last ? last.index + 1 : 0))
  putNumber(encoder, age)
  if (age) putNumber(encoder, lag)
}

/** A number of 32 bits. */
export function putNumber(encoder: Encoder, number: number): void {
  const bits = (number + 1).toString(2).length - 1
  for (let bit = 0; bit < bits; bit++) encoder.raw(1, 1)
  if (bits < 32) encoder.raw(1, 0)
  encoder.raw(bits, (number + 1) % 2 ** bits)
}

function putLeft(encoder: Encoder, first: number, speed: number, left: number): void {
  const magnitude = Math.abs(left)
  const bits = magnitude === 0 ? 0 : magnitude.toString(2).length
  for (let bit = 0; bit < bits; bit++) encoder.decide(first + Math.min(bit, 13), true)
  if (bits < 32) encoder.decide(first + Math.min(bits, 13), false)
  if (bits === 0) return
  encoder.decide(context.SIGN + speed * 7 + Math.min(bits, 7) - 1, left < 0)
  if (bits === 1) return
  encoder.decide(context.TOP + Math.min(bits, 14) - 1, Math.floor(magnitude / 2 ** (bits - 2)) % 2 === 1)
  encoder.raw(bits - 2, magnitude % 2 ** (bits - 2))
}
