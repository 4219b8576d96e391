// What a room has to say and can't yet, or may have to say again: kept in order and within a bound.

import { isEqual } from './others.ts'
import { Reader, Writer } from './wire/bytes.ts'
import { decodeValue, encodeValue, type Value } from './wire/msgpack.ts'

/** Most bytes that wait on a lane of a room. */
const BYTES_MAX = 65_536
/** What one counts at least: so many of them as a server takes at once (rule E2). */
const BYTES_MIN = 655

/** Something to say. */
interface Sized {
  readonly bytes: number
}

/** An event as it was said here: to all, or to members by their `connectionId`. */
export interface SaidEvent extends Sized {
  readonly name: string
  readonly data: Value
  readonly to: readonly number[] | undefined
}

/** Things to say, in their order. */
export class Backlog<T extends Sized> {
  protected readonly items: T[] = []

  /** How many wait. */
  get size(): number {
    return this.items.length
  }

  /** Keeps something. False if too much waits already. */
  add(item: T): boolean {
    const sum = [...this.items, item].reduce((sum, { bytes }) => sum + Math.max(bytes, BYTES_MIN), 0)
    return sum <= BYTES_MAX && this.items.push(item) > 0
  }

  /** Takes the first of them out, or all. */
  take(count: number = Infinity): T[] {
    return this.items.splice(0, count)
  }
}

/** The events of a room. Those to all are kept once they are sent, within the same bound, until they come back (rule V5). */
export class EventBacklog extends Backlog<SaidEvent> {
  /** So many of the first are sent. */
  #sent = 0

  /** Keeps one that is sent, if there is room; nothing waits then. */
  addSent(event: SaidEvent): void {
    if (this.add(event)) this.#sent++
  }

  /** One of the own events has come back; those before it that have not were refused. */
  confirm({ name, data }: { readonly name: string; readonly data: Value }): void {
    const index = this.items.findIndex((event) => event.name === name && isEqual(event.data, data))
    if (index < this.#sent) this.take(index + 1)
  }

  /** Forgets what is sent: nobody can tell what came of it. */
  forgetSent(): void {
    this.take(this.#sent)
  }

  override take(count: number = Infinity): SaidEvent[] {
    this.#sent = Math.max(this.#sent - count, 0)
    return super.take(count)
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
