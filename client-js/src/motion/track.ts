// A slot's recent points, kept as the server keeps them, so that a baseline's position is the same for both (rule M5).

import { HEAD } from './coder.ts'
import { WINDOW } from './frame.ts'

// The points of all ticks of the window, and the one before them.
const POINTS_MAX = WINDOW + 1

/**
 * A slot's motion as a step function of ticks: where it was from a tick on. A point is `HEAD` numbers, its tick and the
 * low byte of its generation, and a value for each axis; the 33 latest lie in a ring, in the order of their ticks.
 */
export class Track {
  /** The numbers of all points; `latest` and `at` say where one begins. Ticks beyond 2^31 look negative here. */
  readonly points: Int32Array
  readonly #stride: number
  #first = 0
  #count = 0

  constructor(axes: number) {
    this.#stride = HEAD + axes
    this.points = new Int32Array(POINTS_MAX * this.#stride)
  }

  /** Where the latest point begins. There is one as soon as anything is recorded. */
  get latest(): number {
    return this.#start(this.#count - 1)
  }

  /** Where the point begins that holds at `tick`; -1 if there is none, or if it is too long ago to be known. */
  at(tick: number): number {
    const place = this.#placeAfter(tick) - 1
    return place < 0 ? -1 : this.#start(place)
  }

  /**
   * Adds a point for `tick`, which has none yet, with the generation and the values of the entry that begins at `from`.
   * The oldest point goes when there are too many. Returns whether the new one is the latest.
   */
  record(tick: number, entries: Int32Array, from: number): boolean {
    let place = this.#placeAfter(tick)
    const isLatest = place === this.#count
    if (this.#count < POINTS_MAX) {
      this.#count++
    } else {
      if (place === 0) return false
      this.#first = (this.#first + 1) % POINTS_MAX
      place--
    }
    const { points } = this
    for (let later = this.#count - 1; later > place; later--) {
      const source = this.#start(later - 1)
      points.copyWithin(this.#start(later), source, source + this.#stride)
    }
    const start = this.#start(place)
    points[start] = tick
    for (let i = 1; i < this.#stride; i++) points[start + i] = entries[from + i]!
    return isLatest
  }

  /** How many points are at or before `tick`. */
  #placeAfter(tick: number): number {
    let place = this.#count
    while (place > 0 && this.points[this.#start(place - 1)]! >>> 0 > tick) place--
    return place
  }

  #start(place: number): number {
    return ((this.#first + place) % POINTS_MAX) * this.#stride
  }
}
