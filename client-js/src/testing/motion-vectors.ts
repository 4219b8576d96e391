// What the vectors of motion have in common: a namespace's motion with the short keys; for tests only.

import type { Axis } from '../motion/axes.ts'
import { openAxes } from './frames.ts'

/** Without what is so by default. */
export interface MotionVector {
  hz: number
  a: { st?: number; n?: number; x?: number; w?: boolean }[]
}

/** Its axes. */
export function axesOf({ a }: MotionVector): Axis[] {
  return openAxes(a.length).map((open, index) => {
    const { st = open.step, n = open.min, x = open.max, w = open.wraps } = a[index]!
    return { step: st, min: n, max: x, wraps: w }
  })
}
