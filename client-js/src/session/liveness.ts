// Whether the server is still there: a page is not told when its connection has died (spec, 'Timeouts').

/** Without a byte for so long, a ping asks. */
const SILENCE = 1_000
/** So long after the ping, without a byte since, the connection is given up: 2.5 s in all. */
const PATIENCE = 1_500
/** A busy connection is asked now and then, too, so that its round trip is known. */
const ROUND_TRIP_EVERY = 5_000

/** Says when to ping and when to give up. Times are milliseconds of one clock. */
export class Liveness {
  /** The last round trip in milliseconds; NaN before the first. */
  roundTrip: number = NaN
  #heard: number
  #pinged = -Infinity
  #waiting = false

  constructor(now: number) {
    this.#heard = now
  }

  /** When `handleTimeout` has something to do. */
  get due(): number {
    return this.#waiting
      ? Math.max(this.#pinged, this.#heard) + PATIENCE
      : Math.min(this.#heard + SILENCE, this.#pinged + ROUND_TRIP_EVERY)
  }

  /** Something came. */
  handleHeard(now: number): void {
    this.#heard = now
  }

  /** The answer to the last ping came. */
  handlePong(now: number): void {
    this.#waiting = false
    this.roundTrip = now - this.#pinged
  }

  /**
   * What to do now. A timer that comes late, as in a hidden page or after sleep, leads to another ping, never to the
   * end: the answer may have come and wait behind this timer.
   */
  handleTimeout(now: number): 'ping' | 'lost' | undefined {
    if (now < this.due) return undefined
    if (this.#waiting && now < this.due + SILENCE) return 'lost'
    this.#waiting = true
    this.#pinged = now
    return 'ping'
  }
}
