import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClient } from './client.ts'
import type { RoomError } from './error.ts'
import { FakeServer } from './testing/server.ts'

let server: FakeServer

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  server = new FakeServer()
})

afterEach(() => {
  vi.useRealTimers()
})

/** Lets promises settle and timers run. */
async function pass(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}

async function enter(id = 'default:lobby') {
  const client = createClient({ connect: server.connect, name: 'Ada' })
  const { room, leave } = client.enterRoom(id)
  await pass()
  server.newest.welcome()
  return { client, room, leave }
}

describe('a client', () => {
  it('H2: says hello first, and joins without waiting for the welcome', async () => {
    const client = createClient({ connect: server.connect, name: 'Ada' })
    const { room } = client.enterRoom('default:lobby', { initialPresence: { color: 7 } })
    expect([client.getStatus(), room.getStatus()]).toEqual(['connecting', 'connecting'])
    await pass()
    const [hello, join] = server.newest.control.filter(({ type }) => type !== 'ping')
    expect(hello).toEqual({ type: 'hello', version: 1, name: 'Ada' })
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
    expect(server.newest.take('leave')).toEqual({ type: 'leave', room: 7 })
    expect(client.getRoom('default:lobby')).toBeNull()
  })

  it('a room that was left before it was entered is left once it is', async () => {
    const { client, leave } = await enter()
    const other = client.enterRoom('default:other')
    other.leave()
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

  it('connects anew when a room is entered after the last was left', async () => {
    const { client, leave } = await enter()
    leave()
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
