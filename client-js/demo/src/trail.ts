// Where one cursor was, and when: by it a position tells how old it is.

/** Positions that are kept: more than eight seconds of a cursor that never rests, at 30 Hz. */
const KEPT = 256

/** The last positions of a cursor. */
export class Trail {
  /** When it moved last. */
  movedAt = -Infinity
  readonly #xs = new Float64Array(KEPT).fill(NaN)
  readonly #ys = new Float64Array(KEPT)
  readonly #times = new Float64Array(KEPT)
  #newest = 0

  /** It was at a position from `time` on. */
  push(x: number, y: number, time: number): void {
    this.#newest = (this.#newest + 1) % KEPT
    this.#xs[this.#newest] = x
    this.#ys[this.#newest] = y
    this.#times[this.#newest] = time
    this.movedAt = time
  }

  /** For how long it has been elsewhere than at a position, 0 if it is there now; NaN if it was not there of late. */
  behind(x: number, y: number, now: number): number {
    let left = now
    for (let back = 0; back < KEPT; back++) {
      const at = (this.#newest - back + KEPT) % KEPT
      if (this.#xs[at] === x && this.#ys[at] === y) return now - left
      left = this.#times[at]!
    }
    return NaN
  }
}
