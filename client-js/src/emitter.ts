// Listeners, each with a function that takes it away again: how everything here is subscribed to.

import type { Unsubscribe } from './types.ts'

type Listener<Values extends Pair> = (...values: Values) => void

/** What is told at once: at most two values. */
type Pair = [] | [first: unknown] | [first: unknown, second: unknown]

/** Listeners of one kind. Telling them allocates nothing, and one that throws stops no other. */
export class Source<Values extends Pair> {
  // Never changed in place, so that listeners may come and go while others are called.
  #listeners: readonly Listener<Values>[] = []

  /** Adds a listener; the same function may be there more than once. */
  subscribe(listener: Listener<Values>): Unsubscribe {
    const entry = listener.bind(undefined) as Listener<Values>
    this.#listeners = [...this.#listeners, entry]
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry)
    }
  }

  /** Calls all of them, in the order in which they came. */
  readonly emit: Listener<Values> = ((first: unknown, second: unknown): void => {
    const listeners = this.#listeners as readonly Listener<[unknown, unknown]>[]
    // By index and without rest parameters: an iterator or an array for each move would be garbage.
    for (let index = 0; index < listeners.length; index++) {
      try {
        listeners[index]?.(first, second)
      } catch (error) {
        // The application's mistake goes where its others go, and not into the middle of the protocol.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }) as Listener<Values>
}

/** A source for each type of thing that is subscribed to by name. */
export class Emitter<Types extends { [K in keyof Types]: Pair }> {
  readonly #sources: { [K in keyof Types]?: Source<Types[K]> } = {}

  subscribe<K extends keyof Types>(type: K, listener: Listener<Types[K]>): Unsubscribe {
    return (this.#sources[type] ??= new Source()).subscribe(listener)
  }

  emit<K extends keyof Types>(type: K, ...values: Types[K]): void {
    this.#sources[type]?.emit(...values)
  }
}
