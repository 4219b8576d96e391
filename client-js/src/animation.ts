// The one loop of animation frames, for the cursors of all rooms: it runs while one of them has something to show, and
// costs nothing then.

import { clock } from './connection.ts'

/** Something that shows itself in frames. */
export interface Animated {
  /** Shows how it is at `time`, of `performance.now()`; returns whether the next frame may show something else. */
  handleFrame(time: number): boolean
}

/** The time between two frames where there is no screen, in milliseconds. */
const FRAME_MS = 16

let animated: Animated[] = []

/** Has the next frame, and those after it for as long as it says so, shown by `one`. */
export function animate(one: Animated): void {
  if (!animated.includes(one) && animated.push(one) === 1) (globalThis.requestAnimationFrame ?? soon)(handleFrame)
}

function handleFrame(time: number): void {
  const now = animated
  // Who is added meanwhile is for the next frame.
  animated = []
  for (const one of now) if (one.handleFrame(time)) animate(one)
}

function soon(handle: (time: number) => void): void {
  setTimeout(() => handle(clock()), FRAME_MS)
}
