import { describe, expect, it } from 'vitest'
import { ACK, SAMPLE } from '../motion/frame.ts'
import { putFrame } from '../testing/frames.ts'
import { encodeAs } from '../testing/to-server.ts'
import { Reader, Writer } from '../wire/bytes.ts'
import { controlToClient, type ToClient } from '../wire/control.ts'
import type { Membership, MembershipListener } from './membership.ts'
import { Session } from './session.ts'

/** A session in 16 rooms of four axes with handles from `first` on, and the datagrams that it sends. */
function crowded(first: number): { session: Session; memberships: Membership[]; datagrams: Uint8Array[] } {
  const memberships: Membership[] = []
  const datagrams: Uint8Array[] = []
  const session = new Session(
    0,
    {},
    {
      sendControl: () => {},
      sendDatagram: (bytes) => void datagrams.push(bytes),
      sendEdits: () => {},
      closeEdits: () => {},
      handleWelcome: () => {},
      handleEnd: () => {},
    },
  )
  const listener = { isLeft: false, handleEntered: (entered: Membership) => void memberships.push(entered) }
  const say = (message: ToClient): void => session.handleControl(0, encodeAs(controlToClient, message))
  for (let index = 0; index < 16; index++) {
    session.enter(`default:${index}`, {}, undefined, listener as unknown as MembershipListener)
    say({
      type: 'joined',
      request: index + 1,
      room: first + index,
      epoch: 1,
      slot: 0,
      generation: 0,
      tick: 1,
      rights: 31,
      motion: { hz: 20, axes: 4, step: 1 },
      eventLast: 0,
      events: [],
      eventsLost: false,
    })
    say({ type: 'roster', room: first + index, tick: 1, members: [], more: false })
  }
  return { session, memberships, datagrams }
}

/** How many records of a kind a datagram with four axes has. */
function count(bytes: Uint8Array | undefined, kind: number): number {
  const reader = new Reader(bytes)
  let found = 0
  while (reader.left) {
    const record = reader.u8()
    if (record === kind) found++
    // The room and the tick, or the number.
    reader.varint()
    reader.varint()
    let values = record === ACK ? 1 : 4
    // The bits of parts are a varint of up to 19 bytes: its groups are counted, whatever they say.
    while (values > 0) if (reader.u8() < 0x80) values--
  }
  return found
}

describe('the datagram that answers one', () => {
  it.each([
    ['short', 48, 0, 1, 2],
    ['long', 7, 2 ** 32 - 16, 2 ** 32 - 1, 127],
  ])(
    'M8: has samples of 16 rooms, and with %s acks at most 64 records and 1,000 bytes',
    (_, acks, first, tick, parts) => {
      const { session, memberships, datagrams } = crowded(first)
      const writer = new Writer()
      for (let frame = 0; frame < 100; frame++) {
        const room = first + (frame % 16)
        const all = Array.from({ length: parts }, (_, index) => ({ index, baseline: 0, entries: [] }))
        putFrame(writer, room, 1, tick, all)
      }
      for (const membership of memberships) membership.setMotion(0, 1e9, -1e9, 1e9, -1e9)
      session.handleDatagram(0, writer.take())
      const [datagram] = datagrams
      expect(datagrams).toHaveLength(1)
      expect([count(datagram, SAMPLE), count(datagram, ACK)]).toEqual([16, acks])
      expect(datagram?.length).toBeLessThanOrEqual(1_000)
    },
  )
})
