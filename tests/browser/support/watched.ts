// A value that others wait for: how tests wait for things without asking again and again.

/** A value, and who waits until it is such and such. */
export class Watched<T> {
  #value: T
  readonly #waiting = new Set<() => void>()

  constructor(value: T) {
    this.#value = value
  }

  get value(): T {
    return this.#value
  }

  set value(value: T) {
    this.#value = value
    for (const look of [...this.#waiting]) look()
  }

  /** Resolves with true as soon as `is` holds, or with false after `ms`. */
  until(is: (value: T) => boolean, ms: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const end = (held: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(held)
      }
      const look = (): void => {
        try {
          if (is(this.#value)) end(true)
        } catch (error) {
          end(false)
          reject(error)
        }
      }
      const timer = setTimeout(end, ms, false)
      this.#waiting.add(look)
      look()
    })
  }
}
