// What the wire costs now: the client's counters, which only grow, as figures of the last second. Apart from the panel,
// which shows them.

import type { Room, RoomStats } from '@hither/client'
import { mapSize } from './message-pack-size.ts'

/** Figures of about the last second; `null` where there is nothing to tell. */
export interface Rates {
  /** Bytes of incoming datagrams for each moved cursor in them. */
  readonly bytesPerCursor: number | null
  /** The bytes of a MessagePack map for each of the same. */
  readonly mapBytesPerCursor: number | null
  /** Datagrams in a second. */
  readonly datagramsIn: number
  readonly datagramsOut: number
}

interface Sample {
  readonly time: number
  readonly stats: RoomStats
  readonly mapBytes: number
  readonly moves: number
}

/** Samples in a second. */
const SAMPLES = 10

/** Measures a room. */
export class Meter {
  readonly #samples: Sample[] = []
  #mapBytes = 0
  #moves = 0

  constructor(room: Room) {
    room.cursors.subscribe(({ connectionId, x, y }) => {
      this.#mapBytes += mapSize(connectionId, x, y)
      this.#moves++
    })
  }

  /** Takes a sample, which is to be done ten times a second, and tells the rates since the one a second ago. */
  sample(time: number, stats: RoomStats): Rates {
    const last = this.#samples.at(-1)
    // Another connection counts from nothing.
    if (last && stats.datagramsIn < last.stats.datagramsIn) this.#samples.length = 0
    const now = { time, stats, mapBytes: this.#mapBytes, moves: this.#moves }
    this.#samples.push(now)
    if (this.#samples.length > SAMPLES + 1) this.#samples.shift()
    return rates(this.#samples[0] as Sample, now)
  }
}

function rates(from: Sample, to: Sample): Rates {
  const seconds = (to.time - from.time) / 1_000 || 1
  const cursors = to.stats.cursorsIn - from.stats.cursorsIn
  const moves = to.moves - from.moves
  const isMoving = cursors > 0 && moves > 0
  return {
    bytesPerCursor: isMoving ? (to.stats.datagramBytesIn - from.stats.datagramBytesIn) / cursors : null,
    mapBytesPerCursor: isMoving ? (to.mapBytes - from.mapBytes) / moves : null,
    datagramsIn: (to.stats.datagramsIn - from.stats.datagramsIn) / seconds,
    datagramsOut: (to.stats.datagramsOut - from.stats.datagramsOut) / seconds,
  }
}
