// The space that members move in: 1 to 4 axes of whole steps, each with a range, and some of them round (rule M2).

import { DecodeError } from '../wire/bytes.ts'

/** A range lies from minus this to one below it at most, in steps. */
export const AXIS_LIMIT: number = 2 ** 30

/** One axis of a room's motion. */
export interface Axis {
  /** What one step is in the application's unit. */
  step: number
  /** The lowest value, in steps. */
  min: number
  /** The highest value, in steps, not below `min`. */
  max: number
  /** Whether `min` is the step after `max`, as of an angle: a difference then goes the shorter way. */
  wraps: boolean
}

/** How many slots a part spans in a room of 1 to 4 axes (rule M4). */
export function slotsPerPart(axes: number): number {
  return axes <= 2 ? 64 : 32
}

/** The nearest value that any axis may have. Not a number counts as 0. */
export function cut(value: number): number {
  return Math.min(Math.max(value || 0, -AXIS_LIMIT), AXIS_LIMIT - 1)
}

/** The nearest value within the range, or the same one around it. Not a number counts as 0. */
export function bring({ min, max, wraps }: Axis, value: number): number {
  const near = cut(value)
  return wraps ? around(near, min, max) : Math.min(Math.max(near, min), max)
}

/** What leads from one value to another, the shorter way on an axis that wraps. */
export function difference({ min, max, wraps }: Axis, to: number, from: number): number {
  const half = Math.floor((max - min + 1) / 2)
  return wraps ? around(to - from, -half, max - min - half) : to - from
}

/** The value that lies `difference` away. Throws `DecodeError` if it is out of the range. */
export function moved(axis: Axis, from: number, difference: number): number {
  const to = from + difference
  return axis.wraps ? around(to, axis.min, axis.max) : checked(axis, to)
}

/** The value itself. Throws `DecodeError` if it is out of the range. */
export function checked({ min, max }: Axis, value: number): number {
  if (value < min || value > max) throw new DecodeError()
  return value
}

/** The value that is the same on an axis that wraps, and within its range. */
export function around(value: number, min: number, max: number): number {
  const span = max - min + 1
  return value - Math.floor((value - min) / span) * span
}
