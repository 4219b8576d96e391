// The room's space: a square that is stretched over the board.

/** It goes from 0 to this on both axes. */
export const SPACE = 2_000

/** A place in it. */
export interface Place {
  readonly x: number
  readonly y: number
}

/** A coordinate as a whole number within the space. */
export function within(value: number): number {
  return Math.round(Math.min(Math.max(value, 0), SPACE))
}

/** A coordinate as CSS, in per cent of the board. */
export function percent(value: number): string {
  return `${(value / SPACE) * 100}%`
}
