// Pages that come and go, each with a client that keeps its edits: in a database of memory, and with locks that end
// with their page. Time passes here, since databases take some.

import { IDBFactory, IDBObjectStore } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Client, createClient } from './client.ts'
import type { EditQueue } from './edit-queue.ts'
import type { RoomError } from './error.ts'
import { indexedDbQueue } from './offline.ts'
import type { Room } from './room.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'

/** Who waits for a lock, or holds it. */
interface Lock {
  readonly page: Page
  readonly take: () => void
}

/** All locks of the browser, the holder of each first. */
const locks = new Map<string, Lock[]>()

/** A page with a client in one room. */
class Page {
  readonly server = new FakeServer()
  readonly client: Client
  readonly errors: RoomError[] = []
  room: Room
  leave: () => void

  constructor(queue?: EditQueue) {
    this.client = createClient({ connect: this.server.connect, offline: queue ?? this.#queue() })
    ;({ room: this.room, leave: this.leave } = this.client.enterRoom('default:lobby'))
    this.room.subscribe('error', (error) => this.errors.push(error))
  }

  get connection(): FakeConnection {
    return this.server.newest
  }

  /** What was submitted: by whom, and number and record of each. */
  get submitted(): unknown[] {
    return this.connection.edits.flat().map((said) => {
      if (said.type === 'open') return [said.editor.join(), ...said.unanswered]
      if (said.type === 'history') return []
      return [said.number, ...said.ops.map(({ record }) => record)]
    })
  }

  /** The id of its client as an editor, if it has edited under it. */
  get editor(): unknown {
    return (this.submitted as unknown[][])[0]?.[0]
  }

  async connect(): Promise<this> {
    await vi.waitFor(() => this.server.newest)
    this.connection.welcome(7)
    return this
  }

  /** It has another connection than this one. */
  async reconnect(before: FakeConnection): Promise<void> {
    await vi.waitFor(() => expect(this.connection).not.toBe(before))
    this.connection.welcome(8)
  }

  /** Lets the database do what it has to. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve))
  }

  /** The page ends, without a word. */
  async end(): Promise<void> {
    await this.rest()
    this.connection.die()
    this.server.refusal = 'the page is gone'
    for (const [name, lock] of locks) {
      const [holder] = lock
      const rest = lock.filter(({ page }) => page !== this)
      locks.set(name, rest)
      if (holder !== rest[0]) rest[0]?.take()
    }
  }

  #queue(): EditQueue {
    vi.stubGlobal('navigator', { locks: { request: this.#request } })
    return indexedDbQueue()
  }

  readonly #request = (name: string, { signal }: { signal: AbortSignal }, hold: () => Promise<void>): Promise<void> =>
    new Promise((resolve, reject) => {
      const waiting = locks.get(name) ?? []
      const release = (): void => {
        const [first, ...rest] = locks.get(name) ?? []
        if (first !== lock) return
        locks.set(name, rest)
        rest[0]?.take()
      }
      const lock: Lock = { page: this, take: () => void hold().then(release).then(resolve) }
      locks.set(name, [...waiting, lock])
      if (!waiting.length) return lock.take()
      signal.addEventListener('abort', () => {
        if (locks.get(name)?.[0] === lock) return
        locks.set(
          name,
          (locks.get(name) ?? []).filter((other) => other !== lock),
        )
        reject(new Error('aborted'))
      })
    })
}

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  locks.clear()
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

/** A page that has these edits without an answer: those that were sent, and those that were not. */
async function used(sent: string[], unsent: string[] = []): Promise<Page> {
  const page = await new Page().connect()
  await page.rest()
  for (const id of sent) void page.room.records.put(id, {})
  // It waits for the locks of other pages that are there.
  await vi.waitFor(() => expect(page.submitted).toHaveLength(sent.length && sent.length + 1))
  if (unsent.length) page.connection.die()
  for (const id of unsent) void page.room.records.put(id, {})
  return page
}

/** Such a page that is gone. */
async function left(sent: string[], unsent?: string[]): Promise<Page> {
  const page = await used(sent, unsent)
  await page.end()
  return page
}

/** A page that has found out what there is to send. */
async function found(): Promise<Page> {
  const page = await new Page().connect()
  await page.rest()
  return page
}

/** Keeps the database busy, until the function that this gives is called. */
function holdDatabase(): Promise<() => void> {
  return new Promise((resolve) => {
    const open = indexedDB.open('hither-edits', 1)
    open.onsuccess = () => {
      const store = open.result.transaction('queues', 'readwrite').objectStore('queues')
      let isHeld = true
      const hold = (): void => void (isHeld && (store.count().onsuccess = hold))
      hold()
      resolve(() => (isHeld = false))
    }
  })
}

describe('edits without an answer', () => {
  it('D7: are submitted by the next page, what was sent under its editor and number', async () => {
    const before = await left(['a', 'b'], ['c'])
    const page = await found()
    expect(page.submitted).toEqual([
      [before.editor, 1, 2],
      [1, 'a'],
      [2, 'b'],
      [4, 'c'],
    ])
    expect([page.room.records.pendingCount, page.room.getStorageStatus()]).toEqual([3, 'synchronizing'])
    void page.room.records.put('d', {})
    await page.rest()
    expect(page.submitted.at(-1)).toEqual([5, 'd'])
    for (const number of [1, 2, 5]) page.connection.sayEdits({ type: 'ack', number, sequence: number, time: 1 })
    page.connection.sayEdits({ type: 'reject', number: 4, code: 13, message: 'no' })
    expect(page.errors).toMatchObject([{ type: 'edit', code: 'invalid' }])
    await page.end()
    const last = await found()
    expect([last.submitted, last.room.records.pendingCount]).toEqual([[], 0])
  })

  it('that were never sent are submitted under the new editor, those of all pages that are gone', async () => {
    const pages = [await used([], ['a']), await used([], ['b', 'c'])]
    for (const page of pages) await page.end()
    const page = await found()
    const edits = page.submitted.slice(1) as unknown[][]
    expect(edits.map(([number]) => number)).toEqual([1, 2, 3])
    expect(edits.map(([, record]) => record).sort()).toEqual(['a', 'b', 'c'])
  })

  it('that were sent by two pages go one after the other, each under its editor', async () => {
    const pages = [await used(['a']), await used(['b'])]
    for (const page of pages) await page.end()
    const page = await found()
    const next = await new Page().connect()
    await vi.waitFor(() => expect(next.submitted).toHaveLength(2))
    const editors = [page.editor, next.editor]
    expect(editors.sort()).toEqual(pages.map(({ editor }) => editor).sort())
    expect([...page.submitted, ...next.submitted].sort()).toEqual(
      [...editors.map((e) => [e, 1]), [1, 'a'], [1, 'b']].sort(),
    )
  })

  it('stay those of a page that is there', async () => {
    const page = await found()
    void page.room.records.put('a', {})
    await page.rest()
    const other = await found()
    void other.room.records.put('b', {})
    await vi.waitFor(() => expect(other.submitted).toHaveLength(2))
    expect(other.submitted).toEqual([[expect.not.stringContaining(String(page.editor))], [1, 'b']])
    await other.end()
    await page.end()
  })

  it('D7: that were never sent go behind what was, also when that is younger', async () => {
    const page = await used([], ['a'])
    const { connection } = page
    await vi.waitFor(() => expect(page.connection).not.toBe(connection))
    page.connection.say({ type: 'bye', code: 4005, reason: '' })
    page.client.enterRoom('default:other')
    await page.reconnect(page.connection)
    void page.room.records.put('b', {})
    await page.end()
    expect((await found()).submitted).toEqual([
      [page.editor, 2],
      [2, 'b'],
      [3, 'a'],
    ])
  })

  it('reject when there will be no connection, and are kept for the next page', async () => {
    const page = await used([])
    const edits = [page.room.records.put('a', {})]
    await vi.waitFor(() => expect(page.submitted).toHaveLength(2))
    const done = await holdDatabase()
    edits.push(page.room.records.put('b', {}))
    page.connection.say({ type: 'bye', code: 4005, reason: '' })
    for (const edit of edits) await expect(edit).rejects.toMatchObject({ code: 'connection_lost' })
    expect([page.room.getStatus(), page.room.getStorageStatus()]).toEqual(['disconnected', 'synchronized'])
    await expect(page.room.records.put('c', {})).rejects.toMatchObject({ code: 'not_connected' })
    done()
    await page.end()
    expect(page.submitted.slice(1)).toEqual([[1, 'a']])
    expect((await found()).submitted.slice(1)).toEqual([
      [1, 'a'],
      [2, 'b'],
    ])
  })

  it('reject when there will be no connection before it is known what is left', async () => {
    const page = new Page({ type: 'slow', enter: () => new Promise(() => {}) })
    const edit = page.room.records.put('a', {})
    await vi.waitFor(() => page.connection)
    page.connection.say({ type: 'bye', code: 4005, reason: '' })
    await expect(edit).rejects.toMatchObject({ code: 'not_connected' })
    expect(page.room.records.pendingCount).toBe(0)
  })

  it('of many pages that are there are not waited for one after the other', async () => {
    await Promise.all(Array.from({ length: 9 }, () => used([], ['a'])))
    const page = await new Page().connect()
    void page.room.records.put('b', {})
    await vi.waitFor(() => expect(page.submitted).toHaveLength(2))
    expect([page.submitted.slice(1), page.room.getStats().editQueue]).toEqual([[[1, 'b']], 'indexeddb'])
  })

  it('D7: that were sent a day ago reject, as nobody knows what became of them', async () => {
    await left(['a'], ['b'])
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 86_400_000 })
    const page = await found()
    expect(page.errors).toMatchObject([{ type: 'edit', code: 'connection_lost' }])
    expect(page.submitted.slice(1)).toEqual([[3, 'b']])
    await page.end()
    const next = await found()
    expect(next.submitted.slice(1)).toEqual([[3, 'b']])
  })

  it('of a room that is left are submitted when it is entered again', async () => {
    const page = await found()
    page.client.enterRoom('default:keep')
    page.connection.admit(8)
    const edit = page.room.records.put('a', {})
    await page.rest()
    page.leave()
    await expect(edit).rejects.toMatchObject({ code: 'connection_lost' })
    page.client.enterRoom('default:lobby')
    page.connection.say({ type: 'left', room: 7 })
    page.connection.admit(7)
    await vi.waitFor(() => expect(page.submitted).toHaveLength(4))
    expect(page.submitted).toEqual([[page.editor], [1, 'a'], [page.editor, 1], [1, 'a']])
  })

  it('D7: are sent once it is kept that they may have been, in their order', async () => {
    const page = await used([], ['a'])
    const { connection } = page
    const done = await holdDatabase()
    await page.reconnect(connection)
    for (const id of ['b', 'c']) void page.room.records.put(id, {})
    await page.rest()
    expect(page.submitted, 'a page that is gone now has sent nothing').toEqual([[page.editor]])
    done()
    await vi.waitFor(() => expect(page.submitted).toHaveLength(4))
    expect(page.submitted.slice(1)).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ])
  })

  it('D7: are sent once by another connection that comes before it is kept that they may have been', async () => {
    const page = await used([])
    const done = await holdDatabase()
    void page.room.records.put('a', {})
    page.connection.die()
    await page.reconnect(page.connection)
    done()
    await vi.waitFor(() => expect(page.submitted).toHaveLength(2))
    await page.rest()
    expect(page.submitted.slice(1)).toEqual([[1, 'a']])
  })

  it('that are made while it is looked for others go behind them', async () => {
    const before = await left(['a'])
    const page = new Page()
    const edit = page.room.records.put('b', {})
    expect(page.room.records.pendingCount).toBe(1)
    await page.connect()
    await page.rest()
    expect(page.submitted).toEqual([
      [before.editor, 1],
      [1, 'a'],
      [2, 'b'],
    ])
    page.connection.sayEdits({ type: 'ack', number: 2, sequence: 9, time: 1 })
    expect(await edit).toEqual({ sequence: 9 })
  })
})

describe('where nothing is kept', () => {
  it.each(['indexedDB', 'navigator'])('for there is no %s, all else is the same', async (what) => {
    vi.stubGlobal('navigator', { locks: {} })
    vi.stubGlobal(what, undefined)
    const page = await new Page(indexedDbQueue()).connect()
    void page.room.records.put('a', {})
    expect([page.submitted.length, page.room.getStats().editQueue]).toEqual([2, 'memory'])
  })

  it('for the database can not be opened, all else is the same', async () => {
    const open = (): unknown => {
      const request = { error: new Error('forbidden') } as { onerror?: () => void }
      queueMicrotask(() => request.onerror?.())
      return request
    }
    vi.stubGlobal('indexedDB', { open })
    const page = await found()
    void page.room.records.put('a', {})
    await page.rest()
    expect([page.submitted.length, page.room.getStats().editQueue, page.errors]).toEqual([2, 'memory', []])
    expect((await found()).room.getStats().editQueue).toBe('memory')
  })

  it('for the database can not take over what is left, it stays where it is', async () => {
    const pages = [await used([], ['a']), await used([], ['b'])]
    for (const page of pages) await page.end()
    const put = IDBObjectStore.prototype.put
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, row) {
      const request = put.call(this, row)
      request.addEventListener('success', () => this.transaction.abort())
      return request
    })
    const page = await found()
    void page.room.records.put('c', {})
    await page.rest()
    expect([page.submitted.slice(1), page.room.getStats().editQueue]).toEqual([[[1, 'c']], 'memory'])
    vi.restoreAllMocks()
    const next = (await found()).submitted.slice(1) as unknown[][]
    expect(next.map(([, record]) => record).sort(), 'for another page, while this one is there').toEqual(['a', 'b'])
  })

  it('for the database takes too long to say what is left, that is for another page', async () => {
    await left(['a'])
    const done = await holdDatabase()
    const page = new Page()
    await vi.waitFor(() => expect(page.room.getStats().editQueue).toBe('memory'), 3_000)
    done()
    await page.rest()
    expect((await found()).submitted.slice(1)).toEqual([[1, 'a']])
  })

  it('for the database takes no more, edits go without it, and it forgets what it had of them', async () => {
    const page = await used([], ['a'])
    const { connection } = page
    await page.rest()
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    await page.reconnect(connection)
    await vi.waitFor(() => expect(page.submitted.slice(1)).toEqual([[1, 'a']]))
    expect(page.room.getStats().editQueue).toBe('memory')
    await page.end()
    vi.restoreAllMocks()
    const next = await found()
    expect(next.submitted, 'it may be done').toEqual([])
    void next.room.records.put('b', {})
    await next.rest()
    expect(next.room.getStats().editQueue).toBe('indexeddb')
  })

  it('for the database takes too long, edits go without it until it is done', async () => {
    const page = await found()
    const done = await holdDatabase()
    void page.room.records.put('a', {})
    const isSent = (): void => {
      // The connection is not lost meanwhile.
      page.connection.sayEdits({ type: 'edits', edits: [] })
      expect(page.submitted).toHaveLength(2)
    }
    await vi.waitFor(isSent, 3_000)
    expect(page.room.getStats().editQueue).toBe('memory')
    done()
    await page.end()
    expect([page.room.getStats().editQueue, (await found()).submitted.slice(1)]).toEqual(['indexeddb', [[1, 'a']]])
  })

  it('says where it is kept otherwise', async () => {
    expect((await found()).room.getStats().editQueue).toBe('indexeddb')
  })
})
