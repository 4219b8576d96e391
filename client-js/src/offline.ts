// Edits without an answer in the browser's IndexedDB, so that they outlive their page: a part of its own,
// `@hither/client/offline`, which costs those nothing who do not want it.
//
// Each client has a queue of its own for each room, and holds a lock (Web Locks) by its name for as long as it is in
// the room. So the queue of a page that is gone, however it went, is one whose lock is free: who enters the room next
// takes it over, with its editor, under whose numbers what was sent is sent again (rule D7).

import type { EditQueue, RoomQueue } from './edit-queue.ts'
import type { Editor } from './edits/edits.ts'
import type { PendingEdit } from './edits/pending.ts'

/** Where edits are kept. */
export interface IndexedDbQueueOptions {
  /**
   * The database's name. What one user of a browser has left is sent by whoever enters the room next, so let it have
   * the user's id, where there is one, and what tells the server from others. Default: `hither-edits`.
   */
  readonly name?: string
}

/**
 * Keeps edits that are not answered in IndexedDB, for `createClient({ offline: indexedDbQueue() })`. Without IndexedDB
 * or Web Locks they are kept as long as the page, and `getStats` says `memory`.
 */
export function indexedDbQueue({ name = 'hither-edits' }: IndexedDbQueueOptions = {}): EditQueue {
  const isPossible = globalThis.indexedDB && globalThis.navigator?.locks
  return isPossible ? new IndexedDbQueue(name) : { type: 'memory', enter: () => undefined }
}

/** A client's edits in a room, as they lie in the database under their id. */
interface Row {
  readonly id: string
  readonly editor: Uint8Array
  /** The last number that was used. */
  last: number
  edits: readonly PendingEdit[]
}

const STORE = 'queues'
/** How long the page before may take to end, in milliseconds; another tab's queue is not waited for longer. */
const LOCK_DEADLINE = 250
/** How long the database may take, in milliseconds, before edits go without it. */
const DEADLINE = 2_000

class IndexedDbQueue implements EditQueue {
  type = 'indexeddb'
  readonly #database: Promise<IDBDatabase>
  readonly #name: string
  /** Unlocks the queues that this client has locked, by their id. */
  readonly #locks = new Map<string, () => void>()
  /** Those that are to be written. */
  readonly #changed = new Set<Row>()

  constructor(name: string) {
    this.#name = name
    this.#database = open(name)
    this.#database.catch(() => (this.type = 'memory'))
  }

  enter(room: string, editor: Editor): Promise<RoomQueue> {
    const none: RoomQueue = { editor, edits: [], keep: () => {}, forget: () => {}, release: () => {} }
    const late = new Promise<RoomQueue>((resolve) => setTimeout(resolve, DEADLINE, none))
    return Promise.race([this.#enter(room, editor).catch(() => none), late])
  }

  async #enter(room: string, own: Editor): Promise<RoomQueue> {
    const ownId = idOf(room, own.id)
    const ids = await this.#request((store) => store.getAllKeys() as IDBRequest<string[]>)
    const left: Row[] = []
    for (const id of new Set([ownId, ...ids.filter((id) => id.startsWith(idOf(room)))])) {
      // What it holds is read once its page can't write it any more.
      if (!(await this.#lock(id))) continue
      const kept = await this.#request((store) => store.get(id) as IDBRequest<Row | undefined>)
      left.push(kept ?? { id, editor: own.id, last: 0, edits: [] })
    }
    // What was sent goes under the numbers that it has, so of those who have such edits only one can be gone on with.
    const row = left.find(isSent) ?? (left[0] as Row)
    if (row.id === ownId) row.last = Math.max(row.last, own.last)
    for (const other of left) {
      if (other === row || isSent(other)) continue
      row.edits = [...row.edits, ...other.edits.map((edit) => ({ ...edit, number: ++row.last }))]
      other.edits = []
      this.#changed.add(other)
    }
    // All of it, or nothing: no edit may be in two queues.
    this.#changed.add(row)
    await this.#flush()
    for (const { id } of left) if (id !== row.id) this.#unlock(id)
    return this.#queue(row)
  }

  #queue(row: Row): RoomQueue {
    const write = (edits: PendingEdit[]): void => {
      row.edits = edits
      // Once for all that is said in a task.
      if (!this.#changed.size) queueMicrotask(() => void this.#flush())
      this.#changed.add(row)
    }
    const without = (number: number): PendingEdit[] => row.edits.filter((edit) => edit.number !== number)
    return {
      editor: { id: row.editor, last: row.last },
      edits: row.edits.map((edit) => ({ ...edit })),
      keep: ({ number, ops, bytes, sentAt }) => {
        row.last = Math.max(row.last, number)
        write([...without(number), { number, ops, bytes, sentAt }].sort((a, b) => a.number - b.number))
      },
      forget: (number) => write(without(number)),
      release: () => void this.#flush().then(() => this.#unlock(row.id)),
    }
  }

  /** Locks a queue until it is released, or the page ends; false if another page has it. */
  #lock(id: string): Promise<boolean> {
    return new Promise((resolve) => {
      const hold = (): Promise<void> => {
        resolve(true)
        return new Promise((unlock) => this.#locks.set(id, unlock))
      }
      const signal = AbortSignal.timeout(LOCK_DEADLINE)
      navigator.locks.request(`${this.#name} ${id}`, { signal }, hold).catch(() => resolve(false))
    })
  }

  #unlock(id: string): void {
    this.#locks.get(id)?.()
    this.#locks.delete(id)
  }

  async #flush(): Promise<void> {
    const rows = [...this.#changed]
    this.#changed.clear()
    const write = (store: IDBObjectStore): IDBRequest =>
      rows.map((row) => (row.edits.length ? store.put(row) : store.delete(row.id)) as IDBRequest).at(-1)!
    if (rows.length) await this.#request(write).catch(() => {})
  }

  async #request<T>(ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const database = await this.#database
    return result(ask(database.transaction(STORE, 'readwrite').objectStore(STORE)))
  }
}

function isSent({ edits }: Row): boolean {
  return edits.some(({ sentAt }) => sentAt !== undefined)
}

function idOf(room: string, editor?: Uint8Array): string {
  return `${JSON.stringify(room)} ${editor?.join() ?? ''}`
}

function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => void request.result.createObjectStore(STORE, { keyPath: 'id' })
  return result(request)
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
