import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeWebSocket } from '../testing/web-socket.ts'
import { FakeWebTransport } from '../testing/web-transport.ts'
import { connectBy, type Transports } from './race.ts'
import type { Transport } from './transport.ts'

const URL_HERE = new URL('https://a.example:4433')

let stored: Map<string, string>
let controller: AbortController

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  Object.assign(FakeWebTransport, { made: [], isNew: false, isFlowing: true, isReachable: false })
  FakeWebSocket.made = []
  stored = new Map()
  controller = new AbortController()
  vi.stubGlobal('WebTransport', FakeWebTransport)
  vi.stubGlobal('WebSocket', FakeWebSocket)
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
    removeItem: (key: string) => void stored.delete(key),
  })
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

/** One run, as the client sees it. */
interface Run {
  transport?: Transport
  error?: unknown
}

function run(transports?: Transports): Run {
  const result: Run = {}
  connectBy(
    URL_HERE,
    undefined,
    transports,
  )(controller.signal).then(
    (transport) => (result.transport = transport),
    (error: unknown) => (result.error = error),
  )
  return result
}

/** Lets time pass, and promises do all that they can. */
async function after(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  await new Promise((resolve) => setImmediate(resolve))
}

const sockets = (): number => FakeWebSocket.made.length
const last = <T>(made: T[]): T => made.at(-1) as T

/** WebSocket wins, as no UDP comes through. */
async function lose(): Promise<Run> {
  const result = run()
  await after(500)
  last(FakeWebSocket.made).open()
  await after(0)
  return result
}

describe('the race', () => {
  it('is over with WebTransport, when that is there in half a second', async () => {
    FakeWebTransport.isReachable = true
    const { transport } = await (async (result) => (await after(0), result))(run())
    await after(10_000)
    expect([transport?.type, transport?.reason, sockets()]).toEqual(['webtransport', undefined, 0])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('takes WebSocket, when that is there first, and gives the other up', async () => {
    const result = run()
    await after(499)
    expect(sockets()).toBe(0)
    await after(1)
    expect(sockets()).toBe(1)
    last(FakeWebSocket.made).open()
    await after(0)
    expect([result.transport?.type, result.transport?.reason]).toEqual(['websocket', 'slower'])
    expect(last(FakeWebTransport.made).closedWith).toBeDefined()
    expect(last(FakeWebSocket.made).closedWith).toBeUndefined()
  })

  it('takes WebTransport, when it is there after all, and gives the other up', async () => {
    const result = run()
    await after(600)
    last(FakeWebTransport.made).open()
    await after(0)
    expect([result.transport?.type, result.transport?.reason]).toEqual(['webtransport', undefined])
    expect(last(FakeWebSocket.made).closedWith).toEqual([])
  })

  it('begins WebSocket at once when WebTransport has failed, and says why', async () => {
    const result = run()
    await after(20)
    last(FakeWebTransport.made).fail(new Error('blocked'))
    await after(0)
    last(FakeWebSocket.made).open()
    await after(0)
    expect(result.transport?.reason).toBe('webtransport failed: Error: blocked')
  })

  it('is none where there is no WebTransport', async () => {
    vi.stubGlobal('WebTransport', undefined)
    const result = run()
    await after(0)
    last(FakeWebSocket.made).open()
    await after(0)
    expect([result.transport?.reason, stored.size]).toEqual(['unsupported', 0])
  })

  it('is lost by both when neither comes through', async () => {
    const result = run()
    await after(500)
    last(FakeWebSocket.made).end(1006)
    await after(0)
    expect(result.error).toBeUndefined()
    last(FakeWebTransport.made).fail(new Error('blocked'))
    await after(0)
    expect(`${result.error}`).toBe('Error: Error: no WebSocket at wss://a.example:4433/hither/1; Error: blocked')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that is given up leaves nothing behind', async () => {
    const result = run()
    await after(500)
    controller.abort(new Error('enough'))
    await after(0)
    expect(result.error).toEqual(new Error('enough'))
    expect([last(FakeWebSocket.made).closedWith, last(FakeWebTransport.made).closedWith]).toEqual([[], {}])
    run()
    await after(0)
    expect([FakeWebTransport.made.length, sockets(), vi.getTimerCount()]).toEqual([1, 1, 0])
  })
})

describe('the memory', () => {
  it('leaves WebTransport less of a head start for ten minutes', async () => {
    await lose()
    run()
    await after(149)
    expect(sockets()).toBe(1)
    await after(1)
    expect(sockets()).toBe(2)
    controller.abort()
    controller = new AbortController()
    await after(600_000)
    run()
    await after(499)
    expect(sockets()).toBe(2)
    await after(1)
    expect(sockets()).toBe(3)
  })

  it('ends when WebTransport comes through again', async () => {
    await lose()
    FakeWebTransport.isReachable = true
    const result = run()
    await after(0)
    expect([result.transport?.type, stored.size]).toEqual(['webtransport', 0])
    FakeWebTransport.isReachable = false
    run()
    await after(499)
    expect(sockets()).toBe(1)
  })

  it.each([
    ['is missing', undefined],
    [
      'is forbidden',
      new Proxy(
        {},
        {
          get: () => {
            throw new DOMException('no', 'SecurityError')
          },
        },
      ),
    ],
  ])('is the page alone where its storage %s', async (_, storage) => {
    vi.stubGlobal('localStorage', storage)
    expect((await lose()).transport?.type).toBe('websocket')
    run()
    await after(150)
    expect(sockets()).toBe(2)
    // Forgotten again, for the tests that follow.
    FakeWebTransport.isReachable = true
    run()
    await after(0)
  })
})

describe('what is asked for', () => {
  it('is tried alone, and comes at once', async () => {
    const socket = run('websocket')
    await after(0)
    last(FakeWebSocket.made).open()
    await after(0)
    expect([socket.transport?.type, socket.transport?.reason]).toEqual(['websocket', 'asked for'])
    const session = run('webtransport')
    await after(10_000)
    expect([session.transport, FakeWebTransport.made.length, sockets()]).toEqual([undefined, 1, 1])
  })
})
