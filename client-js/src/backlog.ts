// What a room says while it has no membership: kept in order and within a bound, and sent once there is one.

import { Reader, Writer } from './wire/bytes.ts'
import { decodeValue, encodeValue, type Value } from './wire/msgpack.ts'

/** Most bytes that wait on a lane of a room. */
const BYTES_MAX = 65_536
/** What one counts at least: so many of them as a server takes at once (rule E2). */
const BYTES_MIN = 655

/** Has something sent, or tells that it never will be. */
type Item = (canSend: boolean) => void

/** Things to say, each with who says it then. */
export class Backlog {
  #items: Item[] = []
  #bytes = 0

  /** How many wait. */
  get size(): number {
    return this.#items.length
  }

  /** Keeps something of so many bytes. False if too much waits already. */
  add(bytes: number, item: Item): boolean {
    const sum = this.#bytes + Math.max(bytes, BYTES_MIN)
    if (sum > BYTES_MAX) return false
    this.#bytes = sum
    return this.#items.push(item) > 0
  }

  /** Has all of them sent, in their order, or none ever. */
  end(canSend: boolean): void {
    const items = this.#items
    this.#items = []
    this.#bytes = 0
    for (const item of items) item(canSend)
  }
}

/**
 * A copy of a value as the server will have it, and its bytes; `depth` is how many arrays and maps of a message it lies
 * in. Throws `TypeError` for what can't be sent, where it is said and not when it would be sent.
 */
export function copied(value: unknown, depth: number): [copy: Value, bytes: number] {
  const writer = new Writer()
  encodeValue(writer, value, depth)
  return [decodeValue(new Reader(writer.take())), writer.length]
}
