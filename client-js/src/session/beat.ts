// When in a tick a client sends: late enough to take along the ack of the frame that has just come, and early enough to
// be there before the next tick. What goes up is then one packet a tick, that carries QUIC's own ack of the frame, and
// whose own ack rides on the next frame (rule M10).
//
// The beat is learned from when frames arrive: tick n should arrive n periods after tick 0, and the earliest arrivals
// of late are those without a queue. How much is early enough is learned from which frame shows what was sent. Within,
// times are whole microseconds, so that rounding is that of the Rust crate.

/** How much before the tick a sample should be there, at first: what it takes to handle a burst of them, and jitter. */
const MARGIN_FIRST = 6_000
const MARGIN_MIN = 2_000
const MARGIN_MAX = 16_000
/** By how much more when a sample has missed its tick, and by how much less when not: then one in a hundred misses. */
const MISSED = 2_000
const MADE = -20
/** QUIC's ack of a frame leaves by itself 25 ms after it (RFC 9000, `max_ack_delay`), then a packet is wasted. */
const ACK_WITHIN = 24_000
/** To save that packet, samples may be so much older at the tick; else it is let go. */
const EARLY_MAX = 10_000
/** Of frames that come more often than this the acks are put together, and samples go out at once. */
const PERIOD_MIN = 12_000
/** What the round trip is taken for until it is known, in milliseconds. */
const ROUND_TRIP_FIRST = 10
/** A room that sent no frame for so many periods may tick at any time: there is no beat. */
const SILENT_PERIODS = 3
/** A frame that is so late was waiting somewhere, and what it shows is not shown unless nothing fresher comes. */
const STALE = 300_000
/** For so long at most; then the path is taken to have become longer. */
const STALE_FOR = 500_000
/** How fast the beat follows frames that come later and later, and so a slower clock: a part of the difference. */
const FOLLOW = 32

/** The beat of one room's frames. Times are milliseconds of one clock. */
export class Beat {
  readonly #hz: number
  readonly #period: number
  readonly #path: { readonly roundTrip: number }
  /** When tick 0 would have arrived. */
  #zero: number | undefined
  #heard = 0
  #margin = MARGIN_FIRST
  /** Since when only stale frames have come; Infinity: the last was not stale. */
  #staleSince = Infinity

  /** A round trip on `path` that is not known is NaN. */
  constructor(tickHz: number, path: { readonly roundTrip: number }) {
    this.#path = path
    this.#hz = tickHz
    this.#period = Math.floor(1e6 / tickHz)
  }

  /** Whether the last frame was so late that what it shows is old (rule M16). */
  get isStale(): boolean {
    return this.#staleSince < Infinity
  }

  /** When what is held back as stale is shown if nothing fresher comes; Infinity: nothing is. */
  get due(): number {
    return (this.#staleSince + STALE_FOR) / 1_000
  }

  /** Nothing fresher has come for so long that the path has become longer: the beat begins anew. */
  handleTimeout(now: number): void {
    if (now < this.due) return
    this.#staleSince = Infinity
    this.#zero = undefined
  }

  /** The frame of `tick` has come. Returns when its ack is due at the latest. */
  handleFrame(now: number, tick: number): number {
    // The timer may come after the frame.
    this.handleTimeout(now)
    const at = micros(now)
    const offset = at - Math.floor((tick * 1e6) / this.#hz)
    const before = this.#zero ?? offset
    const isStale = offset - before > STALE
    // What waited somewhere says nothing of the path.
    this.#zero = isStale ? before : Math.min(offset, before + Math.trunc((offset - before) / FOLLOW))
    this.#heard = at
    this.#staleSince = isStale ? Math.min(this.#staleSince, at) : Infinity
    // A repeat: whoever sends it waits for the ack.
    if (offset - this.#zero > Math.floor(this.#period / 2)) return now
    const slot = this.slotAfter(now)
    return slot === undefined ? now + PERIOD_MIN / 1_000 : Math.min(slot, now + this.#period / 1_000)
  }

  /** The next moment at or after `time` at which a datagram is best sent; `undefined` if there is no beat to keep. */
  slotAfter(time: number): number | undefined {
    const at = micros(time)
    const period = this.#period
    const isSilent = at - this.#heard > period * SILENT_PERIODS
    if (this.#zero === undefined || period < PERIOD_MIN || isSilent) return undefined
    const best = modulo(-micros(this.#path.roundTrip || ROUND_TRIP_FIRST) - this.#margin, period)
    const phase = best > ACK_WITHIN + EARLY_MAX ? best : Math.min(best, ACK_WITHIN)
    return (at + modulo(this.#zero + phase - at, period)) / 1_000
  }

  /** The tick whose frame should be the first to show a sample that leaves in a slot at `now`; NaN without a beat. */
  aim(now: number): number {
    return Math.floor(((micros(now) - (this.#zero ?? NaN)) * this.#hz) / 1e6) + 1
  }

  /** A sample was or was not in the frame that it was sent for. */
  handleAimed(isMade: boolean): void {
    this.#margin = Math.min(Math.max(this.#margin + (isMade ? MADE : MISSED), MARGIN_MIN), MARGIN_MAX)
  }
}

function micros(ms: number): number {
  return Math.round(ms * 1_000)
}

/** What is left of `value`, 0 or more, also if it is negative. */
function modulo(value: number, by: number): number {
  return ((value % by) + by) % by
}
