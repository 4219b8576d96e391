// What a room has to say and can't yet, or may have to say again: kept in order and within a bound.

import { Reader, Writer } from './wire/bytes.ts'
import { decodeValue, encodeValue, type Value } from './wire/msgpack.ts'

/** Most bytes that wait on a lane of a room. */
const BYTES_MAX = 65_536
/** What one counts at least: so many of them as a server takes at once (rule E2). */
const BYTES_MIN = 655

/**
 * Things to say, in their order. The first of them may be said already, and are kept until it is known that they came
 * (rule V5).
 */
export class Backlog<T extends { readonly bytes: number }> {
  readonly #items: T[] = []
  /** So many of the first are said. */
  #said = 0

  /** Keeps something that is to be said, or is said while nothing else waits. False if there is too much already. */
  add(item: T, isSaid = false): boolean {
    if (!fits([...this.#items, item])) return false
    if (isSaid) this.#said++
    return this.#items.push(item) > 0
  }

  /** Takes the first of them out, or all. */
  take(count: number = Infinity): T[] {
    this.#said = Math.max(this.#said - count, 0)
    return this.#items.splice(0, count)
  }

  /** Something that was said has come; what was said before it and has not never will. */
  confirm(is: (item: T) => boolean): void {
    const index = this.#items.findIndex(is)
    if (index < this.#said) this.take(index + 1)
  }

  /** Forgets what is said: nobody can tell what came of it. */
  forgetSaid(): void {
    this.take(this.#said)
  }
}

/** Whether these are not too many to wait. */
export function fits(items: readonly { readonly bytes: number }[]): boolean {
  return items.reduce((sum, { bytes }) => sum + Math.max(bytes, BYTES_MIN), 0) <= BYTES_MAX
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
