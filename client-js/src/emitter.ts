// Listeners by the type of what they want, each with a function that takes it away: how all is subscribed to here.

import type { Unsubscribe } from './types.ts'

/** What is told at once: at most two values. */
type Pair = [] | [first: unknown] | [first: unknown, second: unknown]

interface Entry {
  readonly type: PropertyKey
  call: ((first: unknown, second: unknown) => void) | undefined
}

/** Listeners. Telling them allocates nothing, and one that throws stops no other. */
export class Emitter<Types extends { [K in keyof Types]: Pair }> {
  /** While it is set nobody is told anything. */
  isSilent = false
  // Never changed in place, so that listeners may come and go while others are called.
  #entries: readonly Entry[] = []

  /** Adds a listener; the same function may be there more than once. */
  subscribe<K extends keyof Types>(type: K, listener: (...values: Types[K]) => void): Unsubscribe {
    const entry: Entry = { type, call: listener as Entry['call'] }
    this.#entries = [...this.#entries, entry]
    return () => {
      // It may be among those that are being called.
      entry.call = undefined
      this.#entries = this.#entries.filter((other) => other !== entry)
    }
  }

  /** Calls the listeners of a type, in the order in which they came. */
  readonly emit: <K extends keyof Types>(type: K, ...values: Types[K]) => void = (
    type: PropertyKey,
    first?: unknown,
    second?: unknown,
  ): void => {
    const entries = this.#entries
    // By index and without rest parameters: an iterator or an array for each move would be garbage.
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index] as Entry
      try {
        if (entry.type === type && !this.isSilent) entry.call?.(first, second)
      } catch (error) {
        // The application's mistake goes where its others go, and not into the middle of the protocol.
        report(error)
      }
    }
  }

  /** Whether anybody listens to a type. */
  has(type: keyof Types): boolean {
    for (let index = 0; index < this.#entries.length; index++) {
      if ((this.#entries[index] as Entry).type === type) return true
    }
    return false
  }

  /** Has no listener called any more. */
  clear(): void {
    for (const entry of this.#entries) entry.call = undefined
    this.#entries = []
  }
}

/** Has an error told as one that nobody caught, and goes on. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
