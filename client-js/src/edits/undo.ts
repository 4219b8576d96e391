// One's own edits to be taken back, and those taken back to be done again, in groups. It knows operations, and neither
// document nor lane.

import type { Op } from '../wire/edits.ts'

/** So many groups are remembered; the oldest go. */
const GROUPS_MAX = 100

/** Which way to go: take the last group back, or make it again. */
export type Way = 'undo' | 'redo'

/** An edit's number, and what takes it back. */
export interface Step {
  readonly number: number
  readonly inverse: readonly Op[]
}

/** Edits that are undone together. */
type Group = readonly Step[]

/** What can be undone and redone. */
export class Undo {
  #done: Group[] = []
  #undone: Group[] = []
  /** How many groups are open, one in the other. */
  #depth = 0
  /** Whether the open group has its first edit. */
  #hasBegun = false

  /** Whether there is something to be undone, or redone. */
  can(way: Way): boolean {
    return this.#groups(way).length > 0
  }

  /** From now on edits are undone together, until `endGroup` was called as often. */
  beginGroup(): void {
    this.#depth++
  }

  endGroup(): void {
    this.#depth = Math.max(this.#depth - 1, 0)
    this.#hasBegun &&= this.#depth > 0
  }

  /** The operations that undo, or redo, the last group. */
  next(way: Way): Op[] | undefined {
    const group = this.#groups(way).at(-1)
    return group && [...group].reverse().flatMap(({ inverse }) => inverse)
  }

  /** The last group is undone, or redone, by these edits. */
  turn(way: Way, steps: readonly Step[]): void {
    this.#groups(way).pop()
    this.#hasBegun = false
    this.#push(this.#groups(way === 'undo' ? 'redo' : 'undo'), steps)
  }

  /** Takes down an edit that was made, which ends what could be redone. */
  remember(step: Step): void {
    if (!step.inverse.length) return
    this.#undone = []
    if (this.#hasBegun) this.#done.push([...(this.#done.pop() ?? []), step])
    else this.#push(this.#done, [step])
    this.#hasBegun = this.#depth > 0
  }

  /** An edit has no effect, so there is nothing to take back. */
  forget(number: number): void {
    const without = (groups: Group[]): Group[] =>
      groups.map((group) => group.filter((step) => step.number !== number)).filter(({ length }) => length)
    // If nothing is left of the open group, the next edit does not join the one before.
    this.#hasBegun &&= !!this.#done.at(-1)?.some((step) => step.number !== number)
    this.#done = without(this.#done)
    this.#undone = without(this.#undone)
  }

  #groups(way: Way): Group[] {
    return way === 'undo' ? this.#done : this.#undone
  }

  #push(groups: Group[], steps: readonly Step[]): void {
    const group = steps.filter(({ inverse }) => inverse.length)
    if (group.length) groups.push(group)
    if (groups.length > GROUPS_MAX) groups.shift()
  }
}
