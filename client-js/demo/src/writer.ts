// Sends the newest of what changes fast: one patch at a time, and the next one a little later with all that changed
// meanwhile. So nobody is flooded, and the last state always arrives.

/** The shortest time from one patch to the next, in milliseconds. */
const PAUSE = 60

/** A thing that patches are written to. */
export interface Writer<P extends object> {
  /** Sends the patch, or adds it to the one that waits. */
  write(patch: P): void
  /** Whether something was not sent or not answered yet. */
  readonly isBusy: boolean
}

/** Makes a writer. `onRefused` is called when a patch had no effect. */
export function createWriter<P extends object>(
  send: (patch: P) => Promise<unknown> | void,
  onRefused: () => void = () => {},
): Writer<P> {
  let waiting: P | undefined
  let isBusy = false
  const run = async (): Promise<void> => {
    isBusy = true
    while (waiting) {
      const patch = waiting
      waiting = undefined
      const pause = new Promise((resolve) => setTimeout(resolve, PAUSE))
      const isTaken = await Promise.resolve(send(patch)).then(
        () => true,
        () => false,
      )
      await pause
      if (!isTaken && !waiting) {
        isBusy = false
        onRefused()
      }
    }
    isBusy = false
  }
  return {
    write(patch) {
      waiting = { ...waiting, ...patch }
      if (!isBusy) void run()
    },
    get isBusy() {
      return isBusy
    },
  }
}
