import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Connection } from './connection.ts'
import { Session } from './session/session.ts'
import type { End } from './session/session.ts'
import { FakeConnection } from './testing/server.ts'

let server: FakeConnection
let ends: End[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  server = new FakeConnection()
  ends = []
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function connect(transport = server.transport()): Connection {
  const onEnd = (end: End): void => void ends.push(end)
  return new Connection(transport, {}, () => {}, onEnd)
}

describe('a connection', () => {
  it('ends, and the mistake is reported, when what came can not be handled by a mistake of ours', () => {
    const reported: unknown[] = []
    vi.stubGlobal('queueMicrotask', (task: () => void) => {
      try {
        task()
      } catch (error) {
        reported.push(error)
      }
    })
    const mistake = new TypeError('x is not a function')
    connect()
    vi.spyOn(Session.prototype, 'handleControl').mockImplementation(() => {
      throw mistake
    })
    server.receive(0, Uint8Array.of(1))
    expect(ends).toEqual([{ closeCode: 4001, reason: 'TypeError: x is not a function' }])
    expect([server.closed, reported]).toEqual([4001, [mistake]])
  })

  it('F4: ends without a report when the server is at fault', () => {
    vi.stubGlobal('queueMicrotask', () => expect.unreachable('nothing is reported'))
    connect()
    server.receive(0, Uint8Array.of(1, 0xc1))
    expect([ends.map(({ closeCode }) => closeCode), server.closed]).toEqual([[4001], 4001])
  })

  it('ends once, and hears nothing more', () => {
    const { session } = connect()
    server.die('first')
    server.die('second')
    server.receive(0, Uint8Array.of(1, 0xc1))
    server.sendDatagram(Uint8Array.of(9))
    expect([ends, server.closed, vi.getTimerCount()]).toEqual([[{ reason: 'first' }], 4000, 0])
    expect(session.counters).toMatchObject({ streamBytesIn: 0, datagramsIn: 0 })
  })

  it('C1: that says bye is closed, though the answer comes before bye has returned', async () => {
    const transport = server.transport()
    const connection = connect({
      ...transport,
      openStream: (receive) => {
        const stream = transport.openStream(receive)
        const write = (bytes: Uint8Array<ArrayBuffer>): void => {
          stream.write(bytes)
          if (server.control.at(-1)?.type === 'bye') server.say({ type: 'bye', code: 4000, reason: '' })
        }
        return { ...stream, write }
      },
    })
    await connection.close()
    expect([server.closed, ends, vi.getTimerCount()]).toEqual([4000, [], 0])
  })

  it('C1: that says bye waits for the answer, whatever else is due meanwhile', async () => {
    const connection = connect()
    const closing = connection.close()
    // The next ping is due sooner after a pong than the end was before it.
    server.say({ type: 'pong', token: server.take('ping').token, time: 1 })
    await vi.advanceTimersByTimeAsync(999)
    expect(server.closed).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await closing
    expect([server.closed, ends]).toEqual([4000, []])
  })

  it('closes at once when it has ended already', async () => {
    const connection = connect()
    server.die()
    await connection.close()
    expect(server.control.some(({ type }) => type === 'bye')).toBe(false)
  })
})
