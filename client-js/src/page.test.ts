// What a client makes of the page that it is in, and that nothing of it is left when its last room is.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Client, type ClientOptions, createClient } from './client.ts'
import { FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'

/** A window, or a document, whose listeners can be counted. */
class Listened extends EventTarget {
  /** Those that are there; the same function is there once for a type. */
  readonly #listeners = new Map<EventListener, string>()

  get count(): number {
    return this.#listeners.size
  }

  override addEventListener(type: string, listener: EventListener, options?: AddEventListenerOptions): void {
    super.addEventListener(type, listener, options)
    this.#listeners.set(listener, type)
    options?.signal?.addEventListener('abort', () => this.#listeners.delete(listener))
  }

  override removeEventListener(type: string, listener: EventListener): void {
    super.removeEventListener(type, listener)
    this.#listeners.delete(listener)
  }

  tell(type: string): Event {
    const event = new Event(type, { cancelable: true })
    this.dispatchEvent(event)
    return event
  }
}

let server: FakeServer
let page: Listened
let shown: Listened & { hidden: boolean }
let kept: Map<string, string>

stopTime()

beforeEach(async () => {
  server = new FakeServer()
  page = new Listened()
  shown = Object.assign(new Listened(), { hidden: false })
  kept = new Map()
  vi.stubGlobal('document', shown)
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  })
  await load()
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** The page is loaded anew: its modules begin again. */
let make: (options?: ClientOptions) => Client
async function load(): Promise<void> {
  vi.resetModules()
  const { createClient: anew } = await vi.importActual<{ createClient: typeof createClient }>('./client.ts')
  make = (options) => anew({ connect: server.connect, ...options })
}

/** Enters, and is welcome with this token; returns the one that was said. */
async function enter(client: Client, resumeToken: string): Promise<string | undefined> {
  client.enterRoom('default:lobby')
  await pass()
  const said = server.newest.control.find(({ type }) => type === 'hello') as { resumeToken?: string }
  server.newest.welcome(7, [], { resumeToken })
  return said.resumeToken
}

describe('a page that is loaded anew', () => {
  it('S1: resumes its session, once, and the token lies in the storage between the two alone', async () => {
    await enter(make(), 'rt-1')
    expect(kept.size).toBe(0)
    page.tell('pagehide')
    expect([...kept.values()]).toEqual(['rt-1'])
    await load()
    const client = make({ name: 'Ada' })
    expect(kept.size).toBe(0)
    expect(await enter(client, 'rt-2')).toBe('rt-1')
    await load()
    expect(await enter(make(), 'rt-3')).toBeUndefined()
  })

  it('S1: resumes each of its clients as the one that it was, of each server', async () => {
    const options = [{}, {}, { url: 'https://a.example' }]
    for (const [index, option] of options.entries()) await enter(make(option), `rt-${index}`)
    page.tell('pagehide')
    expect([...kept.keys()].every((key) => key.includes('hither'))).toBe(true)
    await load()
    const tokens = []
    for (const option of options) tokens.push(await enter(make(option), 'rt-9'))
    expect(tokens).toEqual(['rt-0', 'rt-1', 'rt-2'])
    page.tell('pagehide')
    await load()
    expect(await enter(make({ url: 'https://b.example' }), 'rt-9')).toBeUndefined()
  })

  it('S1: that is kept whole by the browser has no connection meanwhile, and takes its token back', async () => {
    const client = make()
    await enter(client, 'rt-1')
    const { newest: first } = server
    page.tell('pagehide')
    expect([client.getStatus(), first.closed]).toEqual(['reconnecting', 4000])
    expect(first.control.filter(({ type }) => type === 'bye')).toEqual([])
    page.tell('pageshow')
    expect(kept.size).toBe(0)
    await pass(250)
    expect(server.newest.control).toContainEqual(expect.objectContaining({ type: 'hello', resumeToken: 'rt-1' }))
    server.newest.welcome()
    expect(client.getStatus()).toBe('connected')
  })

  it('S2: goes on with the token of the page that had the session meanwhile', async () => {
    const client = make()
    await enter(client, 'rt-1')
    page.tell('pagehide')
    for (const key of kept.keys()) kept.set(key, 'rt-2')
    page.tell('pageshow')
    await pass(250)
    expect(server.newest.control).toContainEqual(expect.objectContaining({ type: 'hello', resumeToken: 'rt-2' }))
    await Promise.all([client.logout(), pass(1_000)])
  })

  it('resumes nothing that was left', async () => {
    const client = make()
    await enter(client, 'rt-1')
    await Promise.all([client.logout(), pass(1_000)])
    page.tell('pagehide')
    expect(kept.size).toBe(0)
  })

  it.each(['getItem', 'setItem', 'removeItem', ''])(
    'where storage is forbidden (%j), has a new session',
    async (name) => {
      const fail = (): never => {
        throw new DOMException('no', 'SecurityError')
      }
      if (name) vi.spyOn(sessionStorage, name as 'getItem').mockImplementation(fail)
      else Object.defineProperty(globalThis, 'sessionStorage', { get: fail, configurable: true })
      const client = make()
      expect(await enter(client, 'rt-1')).toBeUndefined()
      page.tell('pagehide')
      page.tell('pageshow')
      await pass(250)
      server.newest.welcome()
      expect(client.getStatus()).toBe('connected')
      if (!name)
        Object.defineProperty(globalThis, 'sessionStorage', { value: undefined, configurable: true, writable: true })
    },
  )

  it('is none in a Worker or in Node, where there is no page', async () => {
    for (const name of ['document', 'addEventListener', 'removeEventListener', 'sessionStorage']) {
      vi.stubGlobal(name, undefined)
    }
    const client = make({ warnOnUnload: true })
    await enter(client, 'rt-1')
    void client.getRoom('default:lobby')?.records.put('a', {})
    expect(client.getStatus()).toBe('connected')
  })
})

describe('a client without a connection', () => {
  it.each([
    ['online', () => page.tell('online')],
    ['seen again', () => shown.tell('visibilitychange')],
    ['taken out of the cache', () => page.tell('pageshow')],
  ])('C3: tries again within 250 ms when its page is %s', async (_, happen) => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.9)
    server.refusal = 'nobody listens'
    make().enterRoom('default:lobby')
    await pass(20_000)
    server.refusal = undefined
    random.mockReturnValue(0.5)
    happen()
    await pass(124)
    expect(server.connections).toHaveLength(0)
    await pass(1)
    expect(server.connections).toHaveLength(1)
  })

  it('C3: does not for a page that is hidden', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.9)
    server.refusal = 'nobody listens'
    make().enterRoom('default:lobby')
    await pass(20_000)
    server.refusal = undefined
    shown.hidden = true
    shown.tell('visibilitychange')
    await pass(250)
    expect(server.connections).toHaveLength(0)
  })
})

describe('after the last leave', () => {
  it.each([
    ['connected', 4, () => {}],
    ['reconnecting', 4, () => server.newest.die()],
    ['lost', 4, () => (server.newest.die(), (server.refusal = 'no'), pass(6_000))],
    ['disconnected', 3, () => server.newest.say({ type: 'bye', code: 4000, reason: '' })],
  ])('no timer and no listener is left of a client that was %s', async (_, listeners, happen) => {
    const client = make({ warnOnUnload: true })
    const { room, leave } = client.enterRoom('default:lobby')
    await pass()
    server.newest.welcome()
    room.records.put('a', {}).catch(() => {})
    room.cursors.set({ x: 1 })
    await happen()
    expect([page.count, shown.count]).toEqual([listeners, 1])
    leave()
    await pass(1_000)
    expect([vi.getTimerCount(), page.count, shown.count]).toEqual([0, 0, 0])
  })
})

describe('leaving the page', () => {
  it('is asked about while edits are not answered, or not sent, if that is wanted', async () => {
    const client = make({ warnOnUnload: true })
    await enter(client, 'rt-1')
    const asks = (): boolean => page.tell('beforeunload').defaultPrevented
    expect(asks()).toBe(false)
    const { records } = client.getRoom('default:lobby') as NonNullable<ReturnType<typeof client.getRoom>>
    void records.put('a', {})
    expect(asks()).toBe(true)
    server.newest.sayEdits({ type: 'ack', number: 1, sequence: 1, time: 1 })
    expect(asks()).toBe(false)
    server.newest.die()
    void records.put('a', {})
    expect(asks()).toBe(true)
  })

  it('is asked about for each client that wants it, whatever becomes of the others', async () => {
    const [one, other] = [make({ warnOnUnload: true }), make({ warnOnUnload: true })]
    await enter(one, 'rt-1')
    void one.getRoom('default:lobby')?.records.put('a', {})
    await enter(other, 'rt-2')
    expect(page.tell('beforeunload').defaultPrevented).toBe(true)
  })

  it('is not asked about by default', async () => {
    const client = make()
    await enter(client, 'rt-1')
    void client.getRoom('default:lobby')?.records.put('a', {})
    expect([client.hasUnsentEdits(), page.tell('beforeunload').defaultPrevented]).toEqual([true, false])
  })
})
