// What a room's connection did and how well, in figures: read now and then, and counted all the time.

import type { Connection } from './connection.ts'
import type { Membership } from './session/membership.ts'
import { noCounters } from './session/session.ts'

/** Figures of a room's connection. Counters grow as long as the connection lives, over all its rooms. */
export interface RoomStats {
  /** What carries the connection, like `webtransport`; `null` without one. */
  readonly transport: string | null
  /**
   * Why it is WebSocket: `unsupported` (there is no WebTransport here), `webtransport failed: ` and why, `slower` (it
   * had not connected half a second later), or `asked for`; `null` for any other.
   */
  readonly transportReason: string | null
  /** The round trip in milliseconds, the shortest of the last few; `null` before the first. */
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
   * From `cursors.set` to the own position's return in a frame, in milliseconds, the newest figure: what another member
   * as far from the server sees. It takes ticks in which somebody else moved, too; `null` before.
   */
  readonly cursorAgeMs: number | null
  /** How many such figures there were. */
  readonly cursorAges: number
  /** Where edits are kept that are not answered: `memory`, as long as the page, or `indexeddb` (`offline`). */
  readonly editQueue: string
}

/** How old the own cursor was when it came back. */
export interface Ages {
  cursorAgeMs: number | null
  cursorAges: number
}

/** The figures of now. */
export function stats(
  connection: Connection | undefined,
  membership: Membership | undefined,
  ages: Ages,
  editQueue: string,
): RoomStats {
  const session = connection?.session
  const roundTrip = session?.roundTrip ?? NaN
  return {
    transport: connection?.transport.type ?? null,
    transportReason: connection?.transport.reason ?? null,
    rttMs: roundTrip >= 0 ? roundTrip : null,
    tickHz: membership?.tickHz ?? null,
    ...(session?.counters ?? noCounters()),
    cursorsIn: membership?.cursorsIn ?? 0,
    ...ages,
    editQueue,
  }
}
