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
  /** The write that is under way, and the one that follows it. */
  #saving: Promise<void> = Promise.resolve()
  #saved: Promise<void> | undefined

  constructor(name: string) {
    this.#name = name
    this.#database = open(name)
    this.#database.catch(() => (this.type = 'memory'))
  }

  enter(room: string, editor: Editor): Promise<RoomQueue> {
    const none: RoomQueue = { editor, edits: [], keep: () => {}, forget: () => {}, release: () => {} }
    const entered = this.#enter(room, editor)
    return inTime(entered).catch(() => {
      this.type = 'memory'
      // What it takes over too late is for the next one.
      entered.then(({ release }) => release()).catch(() => {})
      return none
    })
  }

  async #enter(room: string, own: Editor): Promise<RoomQueue> {
    const ownId = idOf(room, own.id)
    const kept = await this.#transact((store) => store.getAllKeys() as IDBRequest<string[]>)
    const ids = [...new Set([ownId, ...kept.filter((id) => id.startsWith(idOf(room)))])]
    const isLocked = await Promise.all(ids.map((id) => this.#lock(id)))
    const locked = ids.filter((_, index) => isLocked[index])
    let row: Row | undefined
    try {
      row = await this.#takeOver(locked, ownId, own)
      return this.#queue(row)
    } finally {
      for (const id of locked) if (id !== row?.id) this.#unlock(id)
    }
  }

  /** Moves what lies under ids that are locked to one row, by whose numbers the client goes on. */
  async #takeOver(ids: readonly string[], ownId: string, own: Editor): Promise<Row> {
    const left = await Promise.all(
      ids.map(async (id): Promise<Row> => {
        // What it holds is read once its page can't write it any more.
        const kept = await this.#transact((store) => store.get(id) as IDBRequest<Row | undefined>)
        return kept ?? { id, editor: own.id, last: 0, edits: [] }
      }),
    )
    // What was sent goes under the numbers that it has, so of those who have such edits only one can be gone on with.
    const row = left.find(isSent) ?? (left[0] as Row)
    if (row.id === ownId) row.last = Math.max(row.last, own.last)
    const taken = left.filter((other) => other !== row && !isSent(other))
    const sent = row.edits.filter(({ sentAt }) => sentAt !== undefined)
    // What was never sent goes behind all that was: below a number that the server has, it would be none (rule D7).
    const unsent = [row, ...taken].flatMap(({ edits }) => edits.filter(({ sentAt }) => sentAt === undefined))
    row.edits = [...sent, ...unsent.map((edit) => ({ ...edit, number: ++row.last }))]
    // All of it, or nothing: no edit may be in two queues, or in none. Until then nothing of it is sent.
    await this.#transact((store) => {
      for (const { id } of taken) store.delete(id)
      return put(store, row)
    })
    return row
  }

  #queue(row: Row): RoomQueue {
    const write = (edits: PendingEdit[]): Promise<void> => {
      row.edits = edits
      return this.#save(row)
    }
    const without = (number: number): PendingEdit[] => row.edits.filter((edit) => edit.number !== number)
    return {
      editor: { id: row.editor, last: row.last },
      edits: row.edits.map((edit) => ({ ...edit })),
      keep: ({ number, ops, bytes, sentAt }) => {
        row.last = Math.max(row.last, number)
        return write([...without(number), { number, ops, bytes, sentAt }].sort((a, b) => a.number - b.number))
      },
      forget: (number) => void write(without(number)),
      release: () => void (this.#saved ?? this.#saving).then(() => this.#unlock(row.id)),
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

  /** Resolves once a row is written, or can't be; once for all that is said in a task, or while another is written. */
  #save(row: Row): Promise<void> {
    this.#changed.add(row)
    return (this.#saved ??= this.#saving.then(() => {
      this.#saved = undefined
      return (this.#saving = inTime(this.#write()).catch(() => void (this.type = 'memory')))
    }))
  }

  async #write(): Promise<void> {
    const rows = [...this.#changed]
    this.#changed.clear()
    try {
      await this.#transact((store) => rows.map((row) => put(store, row)).at(-1)!)
      this.type = 'indexeddb'
    } catch {
      this.type = 'memory'
      // They are sent all the same. Better it has nothing of them than that they were never sent.
      await this.#transact((store) => rows.map(({ id }) => store.delete(id)).at(-1)!)
    }
  }

  /** Gives what was asked for once all of it is on the disk, where a power cut leaves it. */
  async #transact<T>(ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const database = await this.#database
    const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' })
    const request = ask(transaction.objectStore(STORE))
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result)
      transaction.onabort = () => reject(transaction.error)
    })
  }
}

/** A row without edits is none. */
function put(store: IDBObjectStore, row: Row): IDBRequest {
  return row.edits.length ? store.put(row) : store.delete(row.id)
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
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Rejects what takes longer than a database may. */
function inTime<T>(done: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(reject, DEADLINE, new Error('too late'))
    void done.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
