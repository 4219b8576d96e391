import { expect, it } from 'vitest'
import { ACK, SAMPLE } from '../motion/frame.ts'
import { putSample } from '../motion/upward.ts'
import { openAxes, type PartToPut, putFrame } from '../testing/frames.ts'
import { controlToServer, encodeAs } from '../testing/to-server.ts'
import { Reader, Writer } from '../wire/bytes.ts'
import { controlToClient, type MemberMessage, type ToClient } from '../wire/control.ts'
import { decodeMessage } from '../wire/lane.ts'
import type { Membership, MembershipListener } from './membership.ts'
import { Session, type Welcome } from './session.ts'

const GRACE: MemberMessage = { slot: 1, generation: 0, user: { id: 'g' }, presence: {}, status: 0 }

const JOINED: Omit<Extract<ToClient, { type: 'joined' }>, 'request' | 'room'> = {
  type: 'joined',
  epoch: 1,
  slot: 0,
  generation: 0,
  tick: 1,
  rights: 31,
  motion: { hz: 20, axes: openAxes(4) },
  eventLast: 0,
  events: [],
  eventsLost: false,
  resumed: false,
}

interface Crowded {
  session: Session
  memberships: Membership[]
  datagrams: Uint8Array[]
  say: (message: ToClient) => void
}

/** A session in 16 rooms of four axes with handles from `first` on, all with Grace, and the datagrams that it sends. */
function crowded(first: number, heard: Partial<MembershipListener> = {}): Crowded {
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
  const listener = { isLeft: false, handleEntered: (entered: Membership) => void memberships.push(entered), ...heard }
  const say = (message: ToClient): void => session.handleControl(0, encodeAs(controlToClient, message))
  for (let index = 0; index < 16; index++) {
    session.enter(`default:${index}`, {}, undefined, listener as unknown as MembershipListener)
    say({ ...JOINED, request: index + 1, room: first + index })
    say({ type: 'roster', room: first + index, tick: 1, members: [GRACE], more: false })
  }
  return { session, memberships, datagrams, say }
}

it.each([
  ['rt-2', true, ['hello', 'resumable']],
  ['rt-2', false, ['hello', 'resumable']],
  [undefined, false, ['hello']],
])('S2: a welcome with token %s is answered at once, resumed %s or not', (resumeToken, resumed, sent) => {
  const said: string[] = []
  const heard: unknown[] = []
  const output = {
    sendControl: (bytes: Uint8Array) => void said.push(decodeMessage(controlToServer, bytes.subarray(1))?.type ?? ''),
    sendDatagram: () => {},
    sendEdits: () => {},
    closeEdits: () => {},
    handleWelcome: ({ resumeToken, resumed }: Welcome) => void heard.push([resumeToken, resumed]),
    handleEnd: () => {},
  }
  const session = new Session(0, { resumeToken: 'rt-1' }, output)
  const welcome = { type: 'welcome', version: 1, user: { id: 'me' }, time: 1, resumed } as const
  session.handleControl(0, encodeAs(controlToClient, { ...welcome, ...(resumeToken && { resumeToken }) }))
  expect([said, heard]).toEqual([sent, [[resumeToken, resumed]]])
})

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

/** A frame in `parts` parts of nobody, or of those in the first. */
function frame(room: number, tick: number, parts = 1, first: PartToPut['entries'] = []): Uint8Array {
  const writer = new Writer()
  const indices = Array.from({ length: parts }, (_, index) => ({ index, entries: index ? [] : first }))
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

const moved = [{ slot: 1, generation: 0, position: [1, 2, 3, 4] }]

/** Who hears of others' motion. */
function mover(handleMotion: () => void): Partial<MembershipListener> {
  return { cursors: { handleMotion, handleVanished: () => {}, handleEcho: () => {} } }
}

it('M7: of a room that is left by who hears of its motion nothing is acked', () => {
  const { session, memberships, datagrams } = crowded(
    1,
    mover(() => memberships[0]?.leave()),
  )
  session.handleDatagram(0, frame(1, 5, 1, moved))
  session.handleTimeout(100)
  expect(datagrams).toEqual([])
})

it('M8, M16: of a room that is left by who hears of what was held back there is no sample', () => {
  const { session, memberships, datagrams } = crowded(
    1,
    mover(() => memberships[0]?.leave()),
  )
  session.handleDatagram(0, frame(1, 5))
  session.handleDatagram(400, frame(1, 6, 1, moved))
  datagrams.length = 0
  for (const membership of memberships.slice(0, 3)) membership.setMotion(890, 1, 1, 0, 0)
  session.handleTimeout(900)
  const expected = new Writer()
  for (const [index, room] of [2, 3].entries()) putSample(expected, room, index + 1, Int32Array.of(1, 1, 0, 0), 4)
  expect(datagrams).toEqual([expected.take()])
})

it('M7, M16: what is sent by who hears of what was held back takes the acks along, and nothing follows it', () => {
  const { session, memberships, datagrams } = crowded(
    1,
    mover(() => {
      memberships[1]?.setMotion(900, 1, 1, 0, 0)
      session.handleTimeout(900)
    }),
  )
  session.handleDatagram(0, frame(1, 5))
  session.handleDatagram(400, frame(1, 6, 1, moved))
  session.handleDatagram(890, frame(3, 5))
  datagrams.length = 0
  session.handleTimeout(900)
  expect(datagrams.map((bytes) => [count(bytes, SAMPLE), count(bytes, ACK)])).toEqual([[1, 1]])
})

it('V3: an event for this member alone is told once its room is whole', () => {
  const heard: string[] = []
  const handleEntered = (): void => void heard.push('entered')
  const { session, say } = crowded(1, { handleEvent: ({ name }) => void heard.push(name), handleEntered })
  heard.length = 0
  session.enter('default:more', {}, undefined, {
    handleEntered,
    handleEvent: ({ name }: { name: string }) => void heard.push(name),
  } as unknown as MembershipListener)
  say({ ...JOINED, request: 17, room: 99 })
  say({ type: 'direct', room: 99, name: 'early', from: 1, generation: 0, data: null, time: 5 })
  expect(heard).toEqual([])
  say({ type: 'roster', room: 99, tick: 1, members: [GRACE], more: false })
  expect(heard).toEqual(['entered', 'early'])
})

it('V3: an event for this member alone is dropped when it has left the room', () => {
  const heard: string[] = []
  const { memberships, say } = crowded(1, { handleEvent: ({ name }) => void heard.push(name) })
  const direct = { type: 'direct', from: 1, generation: 0, data: null, time: 5 } as const
  say({ ...direct, room: 1, name: 'here' })
  memberships[0]?.leave()
  say({ ...direct, room: 1, name: 'left' })
  say({ ...direct, room: 99, name: 'never' })
  expect(heard).toEqual(['here'])
})
