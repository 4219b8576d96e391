// What a room says while it has no membership: kept in order and within a bound, and sent once there is one.

import { Reader, Writer } from './wire/bytes.ts'
import { decodeValue, encodeValue, type Value } from './wire/msgpack.ts'

/** Most bytes that wait on a lane of a room. */
const BYTES_MAX = 65_536
/** What one counts at least: so many of them as a server takes at once (rule E2). */
const BYTES_MIN = 655

type Item = (copy: Value | undefined) => void

/** Things to say, each with who says it then. */
export class Backlog {
  #waiting: [item: Item, copy: Value][] = []
  #bytes = 0

  /** How many wait. */
  get size(): number {
    return this.#waiting.length
  }

  /**
   * Keeps a copy of a value, for `item` to have when it can be sent, or undefined if it never can. False if too much
   * waits already. `depth` is how many arrays and maps of a message it lies in. Throws as `encodeMessage` does.
   */
  add(value: unknown, depth: number, item: Item): boolean {
    const writer = new Writer()
    encodeValue(writer, value, depth)
    const bytes = this.#bytes + Math.max(writer.length, BYTES_MIN)
    if (bytes > BYTES_MAX) return false
    this.#bytes = bytes
    return this.#waiting.push([item, decodeValue(new Reader(writer.take()))]) > 0
  }

  /** Has all of them sent, in their order, or none ever. */
  end(canSend: boolean): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    for (const [item, copy] of waiting) item(canSend ? copy : undefined)
  }
}
