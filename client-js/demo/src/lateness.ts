// How far behind the viewers are: what they see of the cursors that move, against what the page itself sees by its own
// connection, which nothing impairs.

import type { Cursors } from '@hither/client'
import { Trail } from './trail.ts'

/** Who moved within this time, in milliseconds, moves; who rests says nothing. */
const MOVING = 200

/** Measures how far behind others' views of a room's cursors are. */
export class Lateness {
  readonly #trails = new Map<number, Trail>()
  /** Ends the measuring. */
  readonly end: () => void

  /** `truth` is the cursors as they are. */
  constructor(truth: Cursors) {
    this.end = truth.subscribe(
      ({ connectionId, x, y, time }) => this.#trailOf(connectionId).push(x, y, time),
      (connectionId) => this.#trails.delete(connectionId),
    )
  }

  /** For how many milliseconds what is in `view` has been out of date: the median of who moves; NaN if nobody does. */
  of(view: Cursors, now: number): number {
    const times: number[] = []
    for (const [id, trail] of this.#trails) {
      const cursor = now - trail.movedAt < MOVING && view.get(id)
      const behind = cursor ? trail.behind(cursor.x, cursor.y, now) : NaN
      if (behind >= 0) times.push(behind)
    }
    return times.sort((a, b) => a - b)[times.length >> 1] ?? NaN
  }

  #trailOf(id: number): Trail {
    const trail = this.#trails.get(id) ?? new Trail()
    this.#trails.set(id, trail)
    return trail
  }
}
