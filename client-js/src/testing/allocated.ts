// What code allocates, measured with a collector that runs only when it is told to; for tests.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Collects all garbage. */
export const gc = runInNewContext('gc') as () => void

/** The bytes that a run of `act` allocates once it is warm, each time with something that was made before. */
export function allocatedByEach<T>(make: () => T, act: (made: T) => void): number {
  // So few in a round that not even a wasteful `act` brings a collection within it, which would hide the waste.
  const RUNS = 500
  const rounds = Array.from({ length: 40 }, () => {
    const made = Array.from({ length: RUNS }, make)
    gc()
    const before = process.memoryUsage().heapUsed
    // An iterator would allocate.
    for (let run = 0; run < RUNS; run++) act(made[run]!)
    return (process.memoryUsage().heapUsed - before) / RUNS
  })
  // In some rounds the engine compiles, and allocates for itself.
  return Math.min(...rounds)
}
