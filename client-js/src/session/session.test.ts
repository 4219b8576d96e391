import { expect, it } from 'vitest'
import { ACK, SAMPLE } from '../motion/frame.ts'
import { openAxes, putFrame } from '../testing/frames.ts'
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
      motion: { hz: 20, axes: openAxes(4) },
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

/** A frame of nobody in `parts` parts. */
function frame(room: number, tick: number, parts = 1): Uint8Array {
  const writer = new Writer()
  const indices = Array.from({ length: parts }, (_, index) => ({ index, entries: [] }))
  putFrame(writer, room, 1, tick, indices, openAxes(4))
  return writer.take()
}

it('M8: a datagram of 16 acks and the samples of 16 rooms has at most 1,000 bytes', () => {
  const [first, tick] = [2 ** 32 - 16, 2 ** 32 - 2]
  const { session, memberships, datagrams } = crowded(first)
  const rooms = memberships.map(({ handle }) => handle)
  for (const room of rooms) session.handleDatagram(0, frame(room, tick, 128))
  expect(datagrams.map((bytes) => count(bytes, ACK))).toEqual([16])
  for (const room of rooms.slice(1)) session.handleDatagram(50, frame(room, tick + 1, 128))
  for (const membership of memberships) membership.setMotion(50, 1e9, -1e9, 1e9, -1e9)
  expect(datagrams).toHaveLength(1)
  session.handleDatagram(75, frame(first, tick + 1, 128))
  const [, datagram] = datagrams
  expect([datagrams.length, count(datagram, SAMPLE), count(datagram, ACK)]).toEqual([2, 16, 16])
  expect(datagram?.length).toBeLessThanOrEqual(1_000)
})

it('M7: an ack waits for its slot, and goes up with whatever goes before', () => {
  const { session, memberships, datagrams } = crowded(1)
  session.handleDatagram(0, frame(1, 5))
  expect(datagrams).toEqual([])
  session.handleTimeout(0)
  expect(session.due, 'the ping is away').toBe(24)
  session.handleTimeout(23)
  expect(datagrams).toEqual([])
  session.handleTimeout(24)
  expect(datagrams.map((bytes) => [count(bytes, SAMPLE), count(bytes, ACK)])).toEqual([[0, 1]])
  session.handleDatagram(50, frame(1, 6))
  memberships[1]?.setMotion(55, 1, 1, 0, 0)
  session.handleTimeout(55)
  expect(datagrams.map((bytes) => [count(bytes, SAMPLE), count(bytes, ACK)])[1]).toEqual([1, 1])
  session.handleTimeout(74)
  expect(datagrams).toHaveLength(2)
})

it('M10: a sample waits for the slot, with the acks', () => {
  const { session, memberships, datagrams } = crowded(1)
  session.handleDatagram(0, frame(1, 5))
  memberships[0]?.setMotion(10, 1, 1, 0, 0)
  session.handleTimeout(23)
  expect(datagrams).toEqual([])
  session.handleTimeout(24)
  expect(datagrams.map((bytes) => [count(bytes, SAMPLE), count(bytes, ACK)])).toEqual([[1, 1]])
})

it('M7: of a room that is left nothing is acked', () => {
  const { session, memberships, datagrams } = crowded(1)
  session.handleDatagram(0, frame(1, 5))
  memberships[0]?.leave()
  session.handleTimeout(100)
  expect(datagrams).toEqual([])
})
