// Time that passes only when a test says so.

import { afterEach, beforeEach, vi } from 'vitest'

/** Has each test of a file begin with timers and clocks that stand still. */
export function stopTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
}

/** Lets promises settle and timers run. */
export async function pass(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}
