// What a room's connection did and how well, in figures: read now and then, and counted all the time.

import type { Connection } from './connection.ts'
import type { Membership } from './session/membership.ts'
import { noCounters } from './session/session.ts'

/** How old cursors are when they are seen, in milliseconds. */
export interface CursorAge {
  /** How many figures there were since the room was entered first. */
  readonly count: number
  /** The newest figure. */
  readonly last: number
  /** The median of the newest 128. */
  readonly p50: number
  /** What 99 of 100 are below. */
  readonly p99: number
}

/** Figures of a room's connection. Counters grow as long as the connection lives, over all its rooms. */
export interface RoomStats {
  /** What carries the connection, like `webtransport`; `null` without one. */
  readonly transport: string | null
  /** The last round trip in milliseconds; `null` before the first. */
  readonly rttMs: number | null
  /** Ticks of the room in a second; `null` before it is entered. */
  readonly tickHz: number | null
  /** Datagrams that came. */
  readonly datagramsIn: number
  /** Datagrams that went. */
  readonly datagramsOut: number
  /** Bytes of the datagrams that came, without those of QUIC. */
  readonly datagramBytesIn: number
  /** Bytes of the datagrams that went, without those of QUIC. */
  readonly datagramBytesOut: number
  /** Bytes that came on streams, without those of QUIC. */
  readonly streamBytesIn: number
  /** Bytes that went on streams, without those of QUIC. */
  readonly streamBytesOut: number
  /** Others' positions that frames of this room brought. */
  readonly cursorsIn: number
  /** Motion that came too late or broken to be used. */
  readonly motionUnusable: number
  /**
   * From `cursors.set` to the own position's return in a frame: what another member as far from the server sees. Known
   * only from ticks in which somebody else moved, too; `null` before.
   */
  readonly cursorAgeMs: CursorAge | null
}

const AGES = 128

/** The newest ages of the own cursor. */
export class Ages {
  readonly #ages = new Float64Array(AGES)
  #count = 0

  add(age: number): void {
    this.#ages[this.#count++ % AGES] = age
  }

  get summary(): CursorAge | null {
    if (!this.#count) return null
    const sorted = this.#ages.slice(0, this.#count).sort()
    const at = (share: number): number =>
      sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] as number
    return { count: this.#count, last: this.#ages[(this.#count - 1) % AGES] as number, p50: at(0.5), p99: at(0.99) }
  }
}

/** The figures of now. */
export function stats(connection: Connection | undefined, membership: Membership | undefined, ages: Ages): RoomStats {
  const session = connection?.session
  const roundTrip = session?.roundTrip ?? NaN
  return {
    transport: connection?.transport.type ?? null,
    rttMs: roundTrip >= 0 ? roundTrip : null,
    tickHz: membership?.tickHz ?? null,
    ...(session?.counters ?? noCounters()),
    cursorsIn: membership?.cursorsIn ?? 0,
    cursorAgeMs: ages.summary,
  }
}
