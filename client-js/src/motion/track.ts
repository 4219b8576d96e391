// A slot's recent points, kept as the server keeps them, so that a baseline's position is the same for both (rule M5).

import { HEAD, NOBODY } from './coder.ts'
import { WINDOW } from './frame.ts'

// The points of all ticks of the window, and the one before them.
const POINTS_MAX = WINDOW + 1

/**
 * A slot's motion as a step function of ticks: who was where from a tick on. A point is `HEAD` numbers, its tick and
 * the low byte of its generation or `NOBODY`, and a value for each axis; the 33 latest lie in a ring, in the order of
 * their ticks.
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

  /** Where the point begins that holds at `tick`; -1 if nobody was there, or if it is too long ago to be known. */
  at(tick: number): number {
    const place = this.#placeAfter(tick) - 1
    const start = place < 0 ? -1 : this.#start(place)
    return this.points[start + 1] === NOBODY ? -1 : start
  }

  /**
   * Adds a point for `tick`, above that of the latest, with the generation and the values that `from` has behind
   * `start`. The oldest point goes when there are too many.
   */
  record(tick: number, from: Int32Array, start: number): void {
    if (this.#count < POINTS_MAX) this.#count++
    else this.#first = (this.#first + 1) % POINTS_MAX
    const { latest, points } = this
    points[latest] = tick
    for (let i = 1; i < this.#stride; i++) points[latest + i] = from[start + i]!
  }

  /** Whether the latest point has the generation and the values that `from` has behind `start`. */
  isLatest(from: Int32Array, start: number): boolean {
    const { latest } = this
    for (let i = 1; i < this.#stride; i++) if (this.points[latest + i] !== from[start + i]) return false
    return true
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
