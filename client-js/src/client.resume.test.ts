// What a client carries over from one connection to the next, and from one page to the next.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Client, type ClientOptions, createClient } from './client.ts'
import type { Room } from './room.ts'
import { FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'
import type { MemberMessage } from './wire/control.ts'

const GRACE: MemberMessage = { slot: 1, generation: 5, user: { id: 'g' }, presence: { hue: 9 }, status: 0 }
const JOAN: MemberMessage = { ...GRACE, slot: 2, user: { id: 'j' } }

let server: FakeServer

stopTime()

beforeEach(() => {
  server = new FakeServer()
})

afterEach(() => {
  vi.unstubAllGlobals()
})

interface Entered {
  client: Client
  room: Room
  leave: () => void
}

async function enter(options: ClientOptions = {}): Promise<Entered> {
  const client = createClient({ connect: server.connect, ...options })
  const { room, leave } = client.enterRoom('default:lobby')
  await pass()
  return { client, room, leave }
}

/** The resume token of the newest connection's hello, and the welcome that answers it. */
function welcome(resumeToken: string, resumed = true): string | undefined {
  const { resumeToken: said } = server.newest.take('hello')
  server.newest.say({ type: 'welcome', version: 1, user: { id: 'me' }, time: 1, resumeToken, resumed })
  return said
}

/** Its connection dies, and there is another. */
async function reconnect(): Promise<void> {
  server.newest.die()
  await pass(500)
}

describe('a session', () => {
  it('S1, S2: is resumed with the newest token, says so, and says that the next has come', async () => {
    const { client } = await enter()
    const told: unknown[] = []
    client.subscribe('status', (status, resumed) => told.push(status, resumed))
    expect(welcome('rt-1', false)).toBeUndefined()
    server.newest.take('resumable')
    await reconnect()
    expect(welcome('rt-2')).toBe('rt-1')
    server.newest.take('resumable')
    await reconnect()
    expect(welcome('rt-3', false)).toBe('rt-2')
    expect(told).toEqual(
      ['connected', false, 'reconnecting', false].concat([
        'connected',
        true,
        'reconnecting',
        false,
        'connected',
        false,
      ]),
    )
  })

  it('S2: is resumed with the token before when a welcome is lost', async () => {
    await enter()
    welcome('rt-1')
    for (let count = 0; count < 2; count++) {
      await reconnect()
      expect(server.newest.take('hello').resumeToken).toBe('rt-1')
    }
  })

  it.each([4000, 4005])('S3: that ended with %i is not taken back by who enters again', async (code) => {
    const { client } = await enter()
    welcome('rt-1')
    server.newest.say({ type: 'bye', code, reason: '' })
    client.enterRoom('default:other')
    await pass()
    expect(server.newest.take('hello').resumeToken).toBeUndefined()
  })

  it('is over with the last leave: who enters again has another', async () => {
    const { client, leave } = await enter()
    welcome('rt-1')
    leave()
    await pass()
    client.enterRoom('default:lobby')
    await pass()
    expect(server.newest.take('hello').resumeToken).toBeUndefined()
  })

  it('C3: an attempt that gets no welcome is dropped without a bye after 5 s', async () => {
    const { client } = await enter()
    const silent = server.newest
    for (let second = 0; second < 5; second++) {
      await pass(999)
      silent.say({ type: 'pong', token: 0, time: 1 })
    }
    expect(silent.closed).toBeUndefined()
    await pass(5)
    expect([silent.closed, client.getStatus()]).toEqual([4000, 'reconnecting'])
    expect(silent.control.some(({ type }) => type === 'bye')).toBe(false)
    silent.say({ type: 'welcome', version: 1, user: { id: 'me' }, time: 1, resumed: false })
    expect(client.getStatus()).toBe('reconnecting')
  })
})

describe('a token of auth', () => {
  it('C2: is asked for anew only when the server does not like it', async () => {
    let count = 0
    await enter({ auth: () => ({ token: `token ${++count}` }) })
    const tokens = []
    for (const code of [4200, 4101, 4200]) {
      tokens.push(server.newest.take('hello').token)
      server.newest.say({ type: 'welcome', version: 1, user: { id: 'me' }, time: 1, resumed: false })
      server.newest.say({ type: 'bye', code, reason: '' })
      await pass(1_000)
    }
    expect([...tokens, server.newest.take('hello').token]).toEqual(['token 1', 'token 1', 'token 2', 'token 2'])
  })
})

describe('others', () => {
  /** A room with Grace and Joan, and what is told of others once it was entered again, with those of `then`. */
  async function resumed(then: MemberMessage[], epoch: number, isResumed = true): Promise<[Room, unknown[]]> {
    const { room } = await enter()
    welcome('rt-1')
    server.newest.admit(7, [GRACE, JOAN])
    const told: unknown[] = []
    room.subscribe('others', (_, change) => {
      told.push(change.type === 'reset' ? 'reset' : `${change.type} ${change.user.id}`)
    })
    await reconnect()
    welcome('rt-2')
    server.newest.admit(7, then, { resumed: isResumed, epoch })
    return [room, told]
  }

  it.each([1_025, 1_026])(
    'S4, S5: of a member that was taken back are told as far as they changed, in epoch %i',
    async (epoch) => {
      const mary = { ...GRACE, slot: 3, user: { id: 'm' } }
      const [room, told] = await resumed([{ ...GRACE, presence: { hue: 7 } }, mary], epoch)
      expect(told).toEqual(['leave j', 'update g', 'enter m'])
      expect(room.getOthers().map(({ id }) => id)).toEqual(['g', 'm'])
    },
  )

  it('S4: that did not change are the same objects, and nothing is told', async () => {
    const { room } = await enter()
    welcome('rt-1')
    server.newest.admit(7, [{ ...GRACE, presence: { a: [1, { b: 2 }], c: new Uint8Array(2) } }])
    const others = room.getOthers()
    const told = vi.fn()
    room.subscribe('others', told)
    await reconnect()
    welcome('rt-2')
    const same = { ...GRACE, presence: { c: new Uint8Array(2), a: [1, { b: 2 }] } }
    server.newest.admit(7, [same], { resumed: true })
    expect([room.getOthers() === others, told.mock.calls]).toEqual([true, []])
    await reconnect()
    welcome('rt-3')
    server.newest.admit(7, [same, JOAN], { resumed: true })
    expect([room.getOthers()[0] === others[0], room.getOthers().length]).toEqual([true, 2])
  })

  it('S4: that have an empty list where they had an empty map have changed', async () => {
    const { room } = await enter()
    welcome('rt-1')
    server.newest.admit(7, [{ ...GRACE, presence: { a: {} } }])
    await reconnect()
    welcome('rt-2')
    server.newest.admit(7, [{ ...GRACE, presence: { a: [] } }], { resumed: true })
    expect(room.getOthers()[0]?.presence).toEqual({ a: [] })
  })

  it('S5: in the place of somebody else have entered, and that has left', async () => {
    const [, told] = await resumed([{ ...GRACE, user: { id: 'e' } }, JOAN], 1_026)
    expect(told).toEqual(['leave g', 'enter e'])
  })

  it('S4: are all new to a member that is new', async () => {
    const [, told] = await resumed([GRACE, JOAN], 1_025, false)
    expect(told).toEqual(['reset'])
  })

  it('S4: are all new to a page that was loaded anew, and its room says that it is the same member', async () => {
    const { room } = await enter()
    const told: unknown[] = []
    room.subscribe('others', (_, { type }) => told.push(type))
    room.subscribe('status', (status, resumed) => told.push(status, resumed))
    welcome('rt-1')
    server.newest.admit(7, [GRACE], { resumed: true })
    expect(told).toEqual(['connected', true, 'reset'])
  })
})

describe('a document', () => {
  const records = [{ id: 'a', version: 4, fields: { x: 1 } }]

  async function loaded(joined: { epoch?: number; resumed?: boolean }): Promise<[Room, unknown[]]> {
    const { room } = await enter()
    welcome('rt-1')
    server.newest.admit()
    const changes: unknown[] = []
    room.records.subscribe((ids) => changes.push(ids))
    server.newest.sayEdits({ type: 'snapshot', document: 1, sequence: 4, records, more: false })
    await reconnect()
    welcome('rt-2')
    server.newest.admit(8, [], joined)
    return [room, changes]
  }

  it.each([{}, { resumed: true }])('D3: is caught up after a reconnect, joined as %j', async (joined) => {
    const [room, changes] = await loaded(joined)
    expect(server.newest.edits).toMatchObject([
      [{ type: 'open', room: 8, slot: 0, after: { document: 1, sequence: 4 } }],
    ])
    const edit = { sequence: 5, time: 1, user: 'g', slot: 1, generation: 1, number: 1 }
    const ops = [{ kind: 2, record: 'a', fields: { y: 2 } }] as const
    server.newest.sayEdits({ type: 'edits', edits: [{ ...edit, ops: [...ops] }] })
    expect([room.records.get('a'), changes]).toEqual([{ x: 1, y: 2 }, [['a'], ['a']]])
    await reconnect()
    welcome('rt-3')
    server.newest.admit(9, [], joined)
    expect(server.newest.edits).toMatchObject([[{ type: 'open', room: 9, after: { document: 1, sequence: 5 } }]])
  })

  it.each([false, true])('S5: goes on in another epoch, and is shown as it was until then; %s', async (resumed) => {
    const [room, changes] = await loaded({ epoch: 1_026, resumed })
    expect(server.newest.edits).toMatchObject([[{ type: 'open', after: { document: 1, sequence: 4 } }]])
    expect(room.records.get('a')).toEqual({ x: 1 })
    server.newest.sayEdits({ type: 'snapshot', document: 2, sequence: 0, records: [], more: false })
    expect([room.records.get('a'), changes]).toEqual([undefined, [['a'], ['a']]])
  })

  it('D3: that can not be caught up comes as a snapshot, which counts once it is whole', async () => {
    const [room, changes] = await loaded({})
    const page = {
      type: 'snapshot',
      document: 1,
      sequence: 90,
      records: [{ id: 'b', version: 80, fields: {} }],
    } as const
    server.newest.sayEdits({ ...page, records: [...page.records], more: true })
    expect([room.records.get('a'), room.records.get('b')]).toEqual([{ x: 1 }, undefined])
    await reconnect()
    welcome('rt-3')
    server.newest.admit(9)
    expect(server.newest.edits).toMatchObject([[{ type: 'open', room: 9, after: { document: 1, sequence: 4 } }]])
    server.newest.sayEdits({ ...page, records: [...page.records], more: false })
    expect([room.records.get('a'), room.records.get('b')]).toEqual([undefined, {}])
    expect(changes).toEqual([['a'], ['a', 'b']])
  })
})
