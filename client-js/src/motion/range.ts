// A binary range decoder: bytes in, decisions out. It stands apart since it knows nothing of motion (rule M6).
//
// It is the carryless coder of Matt Mahoney's lpaq (2007): an interval of 32 bits is split at each decision, and a byte
// comes in once both ends begin with the same. Behind the last byte a stream has zeros.

import { DecodeError, Reader } from '../wire/bytes.ts'
import { TABLE } from './table.ts'

/** How many bytes may be read behind the input: those that are held ahead of the last decision. */
const AHEAD = 4

/**
 * Reads decisions from the rest of a datagram. Throws `DecodeError` once it reads more than the bytes can have said:
 * what follows would be made up.
 */
export class Decoder {
  #reader = new Reader()
  #low = 0
  #high = 0
  #code = 0
  /** How many zeros were read behind the input. */
  #behind = 0

  /** Begins with what is left in `reader`, to the end. */
  begin(reader: Reader): void {
    this.#reader = reader
    this.#behind = 0
    // As if four bytes were settled.
    this.#low = this.#high = 0
    for (let count = 0; count < 4; count++) this.#shift()
  }

  /** A decision in a context, which is an index into the table of likelihoods. */
  decide(context: number): boolean {
    // The middle of the step that an entry stands for, so that nothing is ever taken to be impossible.
    return this.#take((TABLE[context] as number) * 256 + 128)
  }

  /** `count` bits, at most 32, each as likely as not, the highest first. */
  raw(count: number): number {
    let value = 0
    while (count-- > 0) value = value * 2 + Number(this.#take(2 ** 15))
    return value
  }

  /** A bit that is 1 with this probability, in 1/65,536. The lower part of the interval is that of a 1. */
  #take(one: number): boolean {
    // Below 2^48, so exact.
    const middle = this.#low + Math.floor(((this.#high - this.#low) * one) / 65_536)
    const bit = this.#code <= middle
    if (bit) this.#high = middle
    else this.#low = middle + 1
    while ((this.#low ^ this.#high) >>> 24 === 0) this.#shift()
    return bit
  }

  #shift(): void {
    this.#low = (this.#low << 8) >>> 0
    this.#high = ((this.#high << 8) | 0xff) >>> 0
    this.#code = ((this.#code << 8) | this.#next()) >>> 0
  }

  #next(): number {
    if (this.#reader.left) return this.#reader.u8()
    if (++this.#behind > AHEAD) throw new DecodeError()
    return 0
  }
}
