// Edits without an answer in the browser's IndexedDB, so that they outlive their page: a part of its own,
// `@hither/client/offline`, which costs those nothing who do not want it.
//
// Each client has a queue of its own for each room, and holds a lock (Web Locks) by its name for as long as it is in the
// room. So the queue of a page that is gone, however it went, is one whose lock is free: who enters the room next takes
// it over, with its editor, under whose numbers what was sent is sent again (rule D7).

import { type EditQueue, type KeptEdits, MEMORY } from './edit-queue.ts'
import type { Editor } from './edits/edits.ts'
import type { PendingEdit } from './edits/pending.ts'

/** Where edits are kept. */
export interface IndexedDbQueueOptions {
  /**
   * The database's name. What one user of a browser has left is sent by whoever enters the room next, so let it have the
   * user's id, where there is one, and what tells the server from others. Default: `hither-edits`.
   */
  readonly name?: string
}

/**
 * Keeps edits that are not answered in IndexedDB, for `createClient({ offline: indexedDbQueue() })`. Without IndexedDB or
 * Web Locks they are kept as long as the page, and `getStats` says `memory`.
 */
export function indexedDbQueue({ name = 'hither-edits' }: IndexedDbQueueOptions = {}): EditQueue {
  const isPossible = globalThis.indexedDB && globalThis.navigator?.locks
  return isPossible ? new IndexedDbQueue(name) : MEMORY
}

/** A client's edits in a room, as they lie in the database under their id. */
interface Queue {
  readonly id: string
  readonly room: string
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
  /** The queues of this client. */
  readonly #queues = new Map<string, Queue>()
  /** Unlocks them. */
  readonly #locks = new Map<string, () => void>()
  /** Those that are to be written. */
  readonly #changed = new Set<string>()

  constructor(name: string) {
    this.#name = name
    this.#database = open(name)
    this.#database.catch(() => (this.type = MEMORY.type))
  }

  adopt(room: string, editor: Editor): Promise<KeptEdits> {
    const nothing = { editor, edits: [] }
    const late = new Promise<KeptEdits>((resolve) => setTimeout(resolve, DEADLINE, nothing))
    return Promise.race([this.#adopt(room, editor).catch(() => nothing), late])
  }

  keep(room: string, editor: Uint8Array, { number, ops, bytes, sentAt }: PendingEdit): void {
    const queue = this.#queue(room, editor)
    const others = queue.edits.filter((edit) => edit.number !== number)
    queue.edits = [...others, { number, ops, bytes, sentAt }].sort((a, b) => a.number - b.number)
    queue.last = Math.max(queue.last, number)
    this.#write(queue.id)
  }

  forget(room: string, editor: Uint8Array, number: number): void {
    const queue = this.#queue(room, editor)
    queue.edits = queue.edits.filter((edit) => edit.number !== number)
    this.#write(queue.id)
  }

  release(room: string, editor: Uint8Array): void {
    const id = idOf(room, editor)
    void this.#flush().finally(() => this.#unlock(id))
  }

  async #adopt(room: string, own: Editor): Promise<KeptEdits> {
    const ownId = idOf(room, own.id)
    const ids = await this.#request((store) => store.getAllKeys() as IDBRequest<string[]>)
    const left: Queue[] = []
    for (const id of new Set([ownId, ...ids.filter((id) => id.startsWith(idOf(room)))])) {
      // What it holds is read once its page can't write it any more.
      if (!(await this.#lock(id))) continue
      const kept = await this.#request((store) => store.get(id) as IDBRequest<Queue | undefined>)
      left.push(kept ?? { id, room, editor: own.id, last: 0, edits: [] })
    }
    // What was sent goes under the numbers that it has, so of those who have such edits only one can be gone on with.
    const main = left.find(isSent) ?? (left[0] as Queue)
    if (main.id === ownId) main.last = Math.max(main.last, own.last)
    for (const queue of left) {
      this.#queues.set(queue.id, queue)
      if (queue === main || isSent(queue)) continue
      main.edits = [...main.edits, ...queue.edits.map((edit) => ({ ...edit, number: ++main.last }))]
      queue.edits = []
      this.#changed.add(queue.id)
    }
    // All of it, or nothing: no edit may be in two queues.
    this.#changed.add(main.id)
    await this.#flush()
    for (const { id } of left) if (id !== main.id) this.#unlock(id)
    return { editor: { id: main.editor, last: main.last }, edits: main.edits.map((edit) => ({ ...edit })) }
  }

  #queue(room: string, editor: Uint8Array): Queue {
    const id = idOf(room, editor)
    const queue = this.#queues.get(id) ?? { id, room, editor, last: 0, edits: [] }
    this.#queues.set(id, queue)
    return queue
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
    this.#queues.delete(id)
  }

  /** Writes a queue with all that is said of others in the same task. */
  #write(id: string): void {
    if (!this.#changed.size) queueMicrotask(() => void this.#flush())
    this.#changed.add(id)
  }

  async #flush(): Promise<void> {
    const queues = [...this.#changed].flatMap((id) => this.#queues.get(id) ?? [])
    this.#changed.clear()
    const write = (store: IDBObjectStore): IDBRequest =>
      queues.map((queue) => (queue.edits.length ? store.put(queue) : store.delete(queue.id)) as IDBRequest).at(-1)!
    if (queues.length) await this.#request(write).catch(() => {})
  }

  async #request<T>(ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const database = await this.#database
    return result(ask(database.transaction(STORE, 'readwrite').objectStore(STORE)))
  }
}

function isSent({ edits }: Queue): boolean {
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
