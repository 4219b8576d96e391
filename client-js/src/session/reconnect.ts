// When a client connects, and connects again, sans-IO. It mirrors `reconnect::Reconnect` of the Rust crate
// hither-protocol. Times are milliseconds of one clock that never goes back, `random` a number from 0 up to 1.

import type { Status } from '../types.ts'
import { afterClose } from '../wire/codes.ts'

/** Pauses are random below a bound that doubles from the first to the last with each failure. */
const PAUSE_FIRST = 250
const PAUSE_LAST = 20_000
/** An attempt ends after so long without a welcome. */
const ATTEMPT = 5_000
/** After so long a welcome is no failure's any more. */
const STABLE = 5_000

/** What is to be done, as of the Rust crate. */
export type Action =
  /** Connect and say hello, with a new token if the last one, or none, is not good enough. */
  | { readonly type: 'connect'; readonly newToken: boolean }
  /** Give the attempt up that is under way, and say nothing of it to the server. */
  | { readonly type: 'abandon' }
  /** Tell the application its status, which has changed. */
  | { readonly type: 'status'; readonly status: Status }
  /** Tell the application of its lost connection. */
  | { readonly type: 'lost-connection'; readonly change: LostConnection }

/** What an application is told of its connection, less often than its status. */
export type LostConnection = 'lost' | 'restored' | 'failed'

/** The machine. Drain `pollAction` after each call of `handle...`, and call `handleTimeout` at `due`. */
export class Reconnect {
  status: Status = 'initial'
  readonly #lostTimeout: number
  readonly #canRenewToken: boolean
  #state: 'idle' | 'attempt' | 'welcome' | 'pause' = 'idle'
  /** When the attempt is given up, or the pause is over. */
  #stateDue = Infinity
  #welcomed = 0
  /** What the server has said of the end of the pause at least. */
  #atLeast = 0
  #failures = 0
  /** Whether the newest attempt has, or will have, a new token. */
  #newToken = true
  /** What the application was told of the connection. */
  #told: 'nothing' | 'here' | 'gone' | 'lost' = 'nothing'
  #lostDue = Infinity
  readonly #actions: Action[] = []

  /** `lostTimeout`: how long a connection may be gone until it is lost. */
  constructor(lostTimeout: number, canRenewToken: boolean) {
    this.#lostTimeout = lostTimeout
    this.#canRenewToken = canRenewToken
  }

  /** When `handleTimeout` has something to do. */
  get due(): number {
    return Math.min(this.#stateDue, this.#lostDue)
  }

  /** The application wants a connection; nothing happens if it does already, and is not told that it can't have one. */
  handleWanted(now: number): void {
    if (this.status !== 'initial' && this.status !== 'disconnected') return
    this.#failures = 0
    this.#newToken = true
    this.#setStatus('connecting')
    this.#attempt(now)
  }

  /** The application wants none any more. Who calls this ends the attempt or the connection that there is. */
  handleUnwanted(): void {
    this.#end('initial')
  }

  /** The attempt's hello was answered by a welcome. */
  handleWelcome(now: number): void {
    if (this.#state !== 'attempt') return
    this.#enter('welcome', Infinity)
    this.#welcomed = now
    this.#setStatus('connected')
    if (this.#told === 'lost') this.#tell('restored')
    this.#told = 'here'
    this.#lostDue = Infinity
  }

  /** The attempt or the connection has ended; without a code by itself. */
  handleEnd(now: number, closeCode: number | undefined, retryAfterMs: number | undefined, random: number): void {
    if (this.#state !== 'attempt' && this.#state !== 'welcome') return
    const wasStable = this.#state === 'welcome' && now - this.#welcomed >= STABLE
    if (wasStable) this.#failures = 0
    if (this.#told === 'here') {
      this.#told = 'gone'
      this.#lostDue = now + this.#lostTimeout
    }
    const after = afterClose(closeCode)
    if (after === 'stop' || (after === 'token' && !this.#canRenewToken)) {
      const wasThere = this.#told !== 'nothing'
      this.#end('disconnected')
      if (wasThere) this.#tell('failed')
      return
    }
    // A new token is a reason to go at once, but not when the last one was new and not liked either.
    const isRenewal = after === 'token' && (wasStable || !this.#newToken)
    this.#newToken = after === 'token'
    const bound = isRenewal ? 0 : Math.min(PAUSE_FIRST * 2 ** this.#failures++, PAUSE_LAST)
    this.#atLeast = now + (retryAfterMs ?? 0)
    this.#enter('pause', Math.max(this.#atLeast, now + bound * random))
    this.#setStatus('reconnecting')
  }

  /** The page is seen again, or its machine is online again: the next attempt is soon, if the server lets it. */
  handleNudge(now: number, random: number): void {
    if (this.#state !== 'pause') return
    this.#stateDue = Math.max(this.#atLeast, Math.min(this.#stateDue, now + PAUSE_FIRST * random))
  }

  /** Does what is due. `random` counts if an attempt is given up. */
  handleTimeout(now: number, random: number): void {
    if (now >= this.#lostDue) {
      this.#told = 'lost'
      this.#lostDue = Infinity
      this.#tell('lost')
    }
    if (now < this.#stateDue) return
    if (this.#state === 'pause') return this.#attempt(now)
    this.#actions.push({ type: 'abandon' })
    this.handleEnd(now, undefined, undefined, random)
  }

  /** The next thing to be done. */
  pollAction(): Action | undefined {
    return this.#actions.shift()
  }

  #attempt(now: number): void {
    this.#enter('attempt', now + ATTEMPT)
    this.#actions.push({ type: 'connect', newToken: this.#newToken })
  }

  /** There is no connection, and none is tried for. */
  #end(status: 'initial' | 'disconnected'): void {
    this.#enter('idle', Infinity)
    this.#told = 'nothing'
    this.#lostDue = Infinity
    this.#setStatus(status)
  }

  #enter(state: 'idle' | 'attempt' | 'welcome' | 'pause', due: number): void {
    this.#state = state
    this.#stateDue = due
  }

  #setStatus(status: Status): void {
    if (status === this.status) return
    this.status = status
    this.#actions.push({ type: 'status', status })
  }

  #tell(change: LostConnection): void {
    this.#actions.push({ type: 'lost-connection', change })
  }
}
