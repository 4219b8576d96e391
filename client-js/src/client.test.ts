import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Client, type ClientOptions, createClient } from './client.ts'
import type { RoomError } from './error.ts'
import type { Room } from './room.ts'
import { FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'

let server: FakeServer

stopTime()

beforeEach(() => {
  server = new FakeServer()
})

afterEach(() => {
  vi.restoreAllMocks()
})

async function enter(id = 'default:lobby') {
  const client = createClient({ connect: server.connect, name: 'Ada' })
  const { room, leave } = client.enterRoom(id)
  await pass()
  server.newest.welcome()
  return { client, room, leave }
}

/** A client that is about to enter a room, and what goes wrong. */
function start(options: ClientOptions): { client: Client; room: Room; leave: () => void; errors: RoomError[] } {
  const client = createClient({ connect: server.connect, ...options })
  const errors: RoomError[] = []
  client.subscribe('error', (error) => errors.push(error))
  return { client, errors, ...client.enterRoom('default:lobby') }
}

/** A promise that the test settles. */
function later<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve = (_: T): void => {}
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}

describe('a client', () => {
  it('H2: says hello first, and joins without waiting for the welcome', async () => {
    const client = createClient({ connect: server.connect, name: 'Ada' })
    const { room } = client.enterRoom('default:lobby', { initialPresence: { color: 7 } })
    expect([client.getStatus(), room.getStatus()]).toEqual(['connecting', 'connecting'])
    await pass()
    const [hello, join] = server.newest.control.filter(({ type }) => type !== 'ping')
    expect(hello).toEqual({ type: 'hello', version: 1, name: 'Ada', reliableMotion: false })
    expect(join).toMatchObject({ type: 'join', room: 'default:lobby', presence: { color: 7 } })
    server.newest.welcome()
    expect([client.getStatus(), room.getStatus()]).toEqual(['connected', 'connected'])
  })

  it('H4: says the token that auth gives, a new one for each connection', async () => {
    let count = 0
    const client = createClient({ connect: server.connect, auth: async () => ({ token: `token ${++count}` }) })
    client.enterRoom('default:lobby')
    await pass()
    expect(server.newest.take('hello').token).toBe('token 1')
    server.newest.say({ type: 'bye', code: 4101, reason: 'expired' })
    await pass(1_000)
    expect(server.newest.take('hello').token).toBe('token 2')
  })

  it('gives one room to all who enter it, and leaves it with the last', async () => {
    const { client, room, leave } = await enter()
    const second = client.enterRoom('default:lobby')
    expect(second.room).toBe(room)
    leave()
    leave()
    expect(client.getRoom('default:lobby')).toBe(room)
    second.leave()
    await pass()
    expect(server.newest.take('leave')).toEqual({ type: 'leave', room: 7 })
    expect(client.getRoom('default:lobby')).toBeNull()
  })

  it('a room that was left before it was entered is left once it is', async () => {
    const { client, leave } = await enter()
    const other = client.enterRoom('default:other')
    other.leave()
    await pass()
    server.newest.admit(8)
    expect([server.newest.take('leave').room, other.room.getStatus()]).toEqual([8, 'initial'])
    const again = client.enterRoom('default:other')
    server.newest.say({ type: 'left', room: 8 })
    server.newest.admit(8)
    expect([again.room.getStatus(), other.room.getOthers()]).toEqual(['connected', []])
    leave()
  })

  it('P4: says when the page is hidden, and when it is not', async () => {
    const page = Object.assign(new EventTarget(), { hidden: false })
    vi.stubGlobal('document', page)
    const { client } = await enter()
    for (page.hidden of [true, false]) page.dispatchEvent(new Event('visibilitychange'))
    expect([server.newest.take('status').status, server.newest.take('status').status]).toEqual([1, 0])
    page.hidden = true
    server.newest.die()
    await pass(250)
    expect(server.newest.take('status').status).toBe(1)
    void client.logout()
    page.dispatchEvent(new Event('visibilitychange'))
    expect(server.newest.control.some(({ type }) => type === 'status')).toBe(false)
    vi.unstubAllGlobals()
  })

  it('C1: says bye with the last room, closes when the server has answered, and leaves no timer', async () => {
    const { client, room, leave } = await enter()
    room.cursors.set({ x: 1, y: 1 })
    leave()
    await pass()
    expect(server.newest.take('bye')).toMatchObject({ code: 4000 })
    expect(server.newest.closed).toBeUndefined()
    server.newest.say({ type: 'bye', code: 4000, reason: '' })
    expect([server.newest.closed, client.getStatus(), room.getStatus()]).toEqual([4000, 'initial', 'initial'])
    await pass()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('C1: does not wait for the answer to its bye for more than a second', async () => {
    const { client } = await enter()
    let out = false
    void client.logout().then(() => (out = true))
    await pass(999)
    expect(out).toBe(false)
    await pass(1)
    expect([out, server.newest.closed]).toEqual([true, 4000])
  })

  it('leaves nothing twice: a leave from before a logout does not count for the next stay', async () => {
    const { client, leave } = await enter()
    await Promise.all([client.logout(), pass(1_000)])
    const { room } = client.enterRoom('default:lobby')
    leave()
    expect([client.getRoom('default:lobby') === room, client.getStatus()]).toEqual([true, 'connecting'])
  })

  it('connects anew when a room is entered after the last was left', async () => {
    const { client, leave } = await enter()
    leave()
    await pass()
    client.enterRoom('default:other')
    await pass()
    expect(server.connections).toHaveLength(2)
    server.newest.welcome()
    expect(client.getStatus()).toBe('connected')
  })

  it('C2: comes back by itself after 42xx, not before the server says', async () => {
    const { client, room } = await enter()
    const statuses: string[] = []
    room.subscribe('status', (status) => statuses.push(status))
    server.newest.say({ type: 'bye', code: 4200, reason: 'restarting', retryAfterMs: 3_000 })
    await pass(2_999)
    expect([client.getStatus(), server.connections.length]).toEqual(['reconnecting', 1])
    await pass(1)
    server.newest.welcome()
    expect(statuses).toEqual(['reconnecting', 'connected'])
  })

  it.each([4000, 4001, 4100, 5000])('C2: stays away after %i', async (code) => {
    const { client, room } = await enter()
    const errors: RoomError[] = []
    client.subscribe('error', (error) => errors.push(error))
    server.newest.say({ type: 'bye', code, reason: 'no' })
    await pass(60_000)
    expect([client.getStatus(), room.getStatus(), server.connections.length]).toEqual([
      'disconnected',
      'disconnected',
      1,
    ])
    expect(errors).toMatchObject([{ type: 'connection', code: 'closed', message: 'no', context: { closeCode: code } }])
  })

  it('C2: tries again with growing, random pauses when it fails', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    server.refusal = 'nobody listens'
    const client = createClient({ connect: server.connect })
    const errors: number[] = []
    client.subscribe('error', () => errors.push(performance.now()))
    client.enterRoom('default:lobby')
    await pass(70_000)
    const pauses = errors.slice(1).map((time, index) => time - (errors[index] as number))
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000])
    await client.logout()
    await pass()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('gives up a silent connection after 2.5 s, and not one that answers pings', async () => {
    const { client } = await enter()
    for (let second = 0; second < 10; second++) {
      await pass(1_000)
      const pings = server.newest.control.filter(({ type }) => type === 'ping').length
      for (let ping = 0; ping < pings; ping++) {
        server.newest.say({ type: 'pong', token: server.newest.take('ping').token, time: 1 })
      }
    }
    expect(client.getStatus()).toBe('connected')
    await pass(2_499)
    expect(client.getStatus()).toBe('connected')
    await pass(1)
    expect(client.getStatus()).toBe('reconnecting')
  })

  it('F4: closes with 4001 what breaks the protocol, and stays away', async () => {
    const { client } = await enter()
    server.newest.receive(0, new Uint8Array([1, 0xc1]))
    expect([server.newest.closed, client.getStatus()]).toEqual([4001, 'disconnected'])
  })

  it('F5: skips a message of a later version', async () => {
    const { client } = await enter()
    server.newest.receive(0, new Uint8Array([4, 0x92, 0x64, 0x91, 0xc0]))
    await pass()
    expect(client.getStatus()).toBe('connected')
  })
})

describe('an attempt to connect', () => {
  it('is given up after 5 s, error says so, and another is made', async () => {
    const signals: AbortSignal[] = []
    const { client, errors } = start({
      connect: (signal) => {
        signals.push(signal)
        return new Promise(() => {})
      },
    })
    await pass(4_999)
    expect([errors.length, signals[0]?.aborted]).toEqual([0, false])
    await pass(1)
    expect(errors).toMatchObject([{ code: 'connection_lost', message: 'no connection in time', retryable: true }])
    expect([signals[0]?.aborted, client.getStatus()]).toEqual([true, 'reconnecting'])
    await pass(250)
    expect(signals).toHaveLength(2)
  })

  it('that was given up closes the connection that it brings after all', async () => {
    const late = later<void>()
    let count = 0
    const { errors } = start({ connect: (signal) => (count++ ? server.connect(signal) : slow(signal)) })
    async function slow(signal: AbortSignal): ReturnType<typeof server.connect> {
      await late.promise
      return server.connect(signal)
    }
    await pass(5_250)
    server.newest.welcome()
    late.resolve()
    await pass()
    expect(server.connections.map(({ closed }) => closed)).toEqual([undefined, 4000])
    expect([server.newest.control, errors.length]).toEqual([[], 1])
  })

  it('of a client that logs out brings nothing: no connection, no error, no timer', async () => {
    const late = later<void>()
    const { client, errors, room } = start({
      connect: async (signal) => {
        await late.promise
        return server.connect(signal)
      },
    })
    const statuses: string[] = []
    await pass()
    client.subscribe('status', (status) => statuses.push(status))
    await client.logout()
    late.resolve()
    await pass(60_000)
    expect([server.connections.map(({ closed }) => closed), errors, statuses]).toEqual([[4000], [], ['initial']])
    expect([room.getStatus(), vi.getTimerCount()]).toEqual(['initial', 0])
  })

  it('is not made by a client that logs out in the pause before it', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    server.refusal = 'nobody listens'
    const { client, errors } = start({})
    await pass(100)
    server.refusal = undefined
    await client.logout()
    await pass(60_000)
    expect([errors.length, server.connections.length, client.getStatus(), vi.getTimerCount()]).toEqual([
      1,
      0,
      'initial',
      0,
    ])
  })

  it('is one for who enters, leaves and enters at once', async () => {
    const { client, leave } = start({})
    leave()
    client.enterRoom('default:lobby')
    await pass(10)
    expect(server.connections).toHaveLength(1)
  })

  it('H4: waits for auth no longer than 5 s in all, error says so, and auth is asked again', async () => {
    const tokens = [later<{ token: string }>(), later<{ token: string }>()]
    let asked = 0
    const { errors } = start({ auth: () => (tokens[asked++] as (typeof tokens)[0]).promise })
    await pass(4_999)
    expect(errors).toEqual([])
    await pass(1)
    expect(errors).toMatchObject([{ type: 'connection', message: 'no connection in time' }])
    await pass(250)
    tokens[0]?.resolve({ token: 'late' })
    await pass()
    expect([asked, server.connections.length]).toEqual([2, 0])
    tokens[1]?.resolve({ token: 'new' })
    await pass()
    expect(server.connections).toHaveLength(1)
    expect(server.newest.take('hello').token).toBe('new')
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('signed out'))],
    [
      'throws',
      () => {
        throw new Error('signed out')
      },
    ],
  ])('H4: whose auth %s fails, error has the reason, and auth is asked again', async (_, fail) => {
    let asked = 0
    const { errors } = start({ auth: () => (asked++ ? Promise.resolve({ token: 'new' }) : fail()) })
    await pass()
    expect(errors).toMatchObject([{ code: 'connection_lost', message: 'Error: signed out', retryable: true }])
    expect(server.connections).toHaveLength(0)
    await pass(250)
    expect(server.newest.take('hello').token).toBe('new')
  })

  it.each([4100, 4101])('C2: is not made after %i without auth, as there is no new token', async (code) => {
    const { client } = await enter()
    server.newest.say({ type: 'bye', code, reason: '' })
    await pass(60_000)
    expect([client.getStatus(), server.connections.length]).toEqual(['disconnected', 1])
  })
})

describe('a lost connection', () => {
  it.each([
    ['ends without a word', undefined, { code: 'connection_lost', message: 'the network is gone', retryable: true }],
    ['is told to come back', 4200, { code: 'closed', context: { closeCode: 4200 }, retryable: true, retryAfterMs: 40 }],
    ['is told to stay away', 4000, { code: 'closed', context: { closeCode: 4000 }, retryable: false }],
  ])('C2: that %s is an error that says whether it is tried anew', async (_, code, told) => {
    const { client } = await enter()
    const errors: RoomError[] = []
    client.subscribe('error', (error) => errors.push(error))
    if (code === undefined) server.newest.die()
    else server.newest.say({ type: 'bye', code, reason: '', ...(code === 4200 && { retryAfterMs: 40 }) })
    expect(errors).toMatchObject([{ type: 'connection', ...told }])
  })

  it('C2: is met with growing pauses when the server takes everyone and drops them', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    await enter()
    const times: number[] = []
    for (let count = 0; count < 6; count++) {
      const before = performance.now()
      const made = server.connections.length
      server.newest.die()
      while (server.connections.length === made) await pass(125)
      times.push(performance.now() - before)
      server.newest.welcome()
    }
    expect(times).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000])
  })

  it('C2: is met with the first pause again after one that lived long', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    await enter()
    server.newest.die()
    await pass(250)
    server.newest.welcome()
    for (let second = 0; second < 21; second++) {
      await pass(1_000)
      server.newest.say({ type: 'pong', token: 0, time: 1 })
    }
    server.newest.die()
    await pass(249)
    expect(server.connections).toHaveLength(2)
    await pass(1)
    expect(server.connections).toHaveLength(3)
  })

  it('C2: does not come back at once when it is to wait for longer than timers can', async () => {
    await enter()
    server.newest.say({ type: 'bye', code: 4200, reason: '', retryAfterMs: 2 ** 31 })
    await pass(60_000)
    expect(server.connections).toHaveLength(1)
  })

  it('is none when the page was stopped for a while, with a ping out and its answer waiting', async () => {
    const { client } = await enter()
    server.newest.say({ type: 'pong', token: server.newest.take('ping').token, time: 1 })
    await pass(1_000)
    const { token } = server.newest.take('ping')
    const { now } = performance
    vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 3_000)
    await pass(1_499)
    server.newest.say({ type: 'pong', token, time: 1 })
    await pass(999)
    expect(client.getStatus()).toBe('connected')
  })
})

describe('what is said late', () => {
  it('H2: a welcome after the last leave connects nobody', async () => {
    const { client, leave } = start({})
    await pass()
    leave()
    await pass()
    server.newest.say({ type: 'welcome', version: 1, user: { id: 'me' }, time: 1, resumed: false })
    expect(client.getStatus()).toBe('initial')
  })

  it('a room that is entered within a listener of the status is not told of the connection before it', async () => {
    const { client } = await enter()
    let late: Room | undefined
    client.subscribe('status', (status) => {
      if (status === 'disconnected') late = client.enterRoom('default:late').room
    })
    server.newest.say({ type: 'bye', code: 4000, reason: '' })
    expect([client.getStatus(), late?.getStatus()]).toEqual(['connecting', 'connecting'])
    await pass()
    server.newest.welcome()
    expect([client.getStatus(), late?.getStatus()]).toEqual(['connected', 'connected'])
  })
})

describe('what is wrong at the call', () => {
  it.each([
    '',
    'lobby',
    ':lobby',
    'default:',
    'Default:lobby',
    'a b:lobby',
    `${'a'.repeat(33)}:b`,
    'a:b\n',
    'a:\u0085',
  ])('R1: %j is no room', async (id) => {
    const client = createClient({ connect: server.connect })
    expect(() => client.enterRoom(id)).toThrow(TypeError)
    await pass()
    expect([client.getRoom(id), client.getStatus(), server.connections.length]).toEqual([null, 'initial', 0])
  })

  it.each(['a:b', 'a-_9:b:c', 'default:Kaffee ☕', `${'a'.repeat(32)}:${'b'.repeat(128)}`])(
    'R1: %j is a room',
    (id) => {
      expect(createClient({ connect: server.connect }).enterRoom(id).room.id).toBe(id)
    },
  )

  it.each(['localhost:8080', 'wss://a.example', 'nonsense'])('%s is no address of a server', (url) => {
    expect(() => createClient({ url })).toThrow(TypeError)
  })

  it.each(['http://localhost:8080', new URL('https://a.example')])('%s is one', (url) => {
    expect(createClient({ url }).getStatus()).toBe('initial')
  })
})
