// Whether the server is still there: a page is not told when its connection has died (spec, 'Timeouts').

/** Without a byte for so long, a ping asks. */
const SILENCE = 1_000
/** So long after the ping, without a byte since, it looks bad. */
const PATIENCE = 1_250
/** So long later the connection is given up: 2.5 s in all. A page that was stopped reads what waits before that. */
const LAST_CHANCE = 250
/** A busy connection is asked now and then, too, so that its round trip is known. */
const ROUND_TRIP_EVERY = 5_000
/** Of so many round trips the shortest counts: what others took longer was spent waiting on either end. */
const ROUND_TRIPS = 4

/** Says when to ping and when to give up. Times are milliseconds of one clock. */
export class Liveness {
  /** The round trip in milliseconds; NaN before the first. */
  roundTrip: number = NaN
  #roundTrips: number[] = []
  #heard: number
  #pinged = -Infinity
  #waiting = false
  /** When the last chance is over; 0: it has not begun. */
  #end = 0

  constructor(now: number) {
    this.#heard = now
  }

  /** When `handleTimeout` has something to do. */
  get due(): number {
    if (!this.#waiting) return Math.min(this.#heard + SILENCE, this.#pinged + ROUND_TRIP_EVERY)
    return this.#end || Math.max(this.#pinged, this.#heard) + PATIENCE
  }

  /** Something came. */
  handleHeard(now: number): void {
    this.#heard = now
    this.#end = 0
  }

  /** The answer to the last ping came. */
  handlePong(now: number): void {
    this.#waiting = false
    this.#roundTrips = [now - this.#pinged, ...this.#roundTrips].slice(0, ROUND_TRIPS)
    this.roundTrip = Math.min(...this.#roundTrips)
  }

  /**
   * What to do now. It never says `lost` at once when a timer comes late, as in a hidden page, in a busy one or after
   * sleep: the answer may wait behind this timer.
   */
  handleTimeout(now: number): 'ping' | 'lost' | undefined {
    if (now < this.due) return undefined
    if (this.#end) return 'lost'
    if (this.#waiting) {
      this.#end = now + LAST_CHANCE
      return undefined
    }
    this.#waiting = true
    this.#pinged = now
    return 'ping'
  }
}
