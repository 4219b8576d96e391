// The pace of edits that are made by moving or typing: the first goes at once, and then the newest 20 times a second,
// whatever the pointer's rate is.

/** From one edit to the next, in milliseconds. */
const PACE = 50

/** Edits at a bounded rate. */
export interface Pace<P extends object> {
  /** Sends a patch, now or with those that wait. */
  write(patch: P): void
  /** Sends what waits, now. */
  flush(): void
  /** Forgets what waits. */
  drop(): void
  /** Whether something waits. */
  readonly isWaiting: boolean
}

/** Paces what `send` sends. While `canSend` says no, all waits for `flush`, as one. */
export function createPace<P extends object>(send: (patch: P) => void, canSend: () => boolean = () => true): Pace<P> {
  let waiting: P | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = (): void => {
    const patch = waiting
    waiting = undefined
    if (patch) send(patch)
  }
  const beat = (): void => {
    timer = undefined
    if (!waiting || !canSend()) return
    timer = setTimeout(beat, PACE)
    flush()
  }
  return {
    write(patch) {
      waiting = { ...waiting, ...patch }
      if (timer === undefined) beat()
    },
    flush,
    drop() {
      waiting = undefined
    },
    get isWaiting() {
      return waiting !== undefined
    },
  }
}
