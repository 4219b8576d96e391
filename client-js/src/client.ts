// The client: rooms by name over one connection, which it makes when there is a room to be in, makes again when it is
// lost, and closes when the last room is left.

import { clock, Connection } from './connection.ts'
import { Emitter } from './emitter.ts'
import { RoomError } from './error.ts'
import { ClientRoom, type Room } from './room.ts'
import type { End } from './session/session.ts'
import type { Connect } from './transport/transport.ts'
import { webTransport } from './transport/webtransport.ts'
import type { RegisteredTypes, RoomTypes, Status, Unsubscribe } from './types.ts'
import { afterClose } from './wire/codes.ts'

/** How a client reaches its server, and as whom. */
export interface ClientOptions {
  /**
   * Where the server is. An `https:` address is its own; an `http:` one is asked for it. Default: the page's origin is
   * asked.
   */
  readonly url?: string | URL
  /** The name that the user would like to have, at most 64 bytes; a token's goes before it. Default: none. */
  readonly name?: string
  /** Gives a token, for a server that wants one; called for each connection. Default: none. */
  readonly auth?: () => { readonly token: string } | Promise<{ readonly token: string }>
  /** SHA-256 of the server's certificate in hex, to trust that one alone. Default: what the server's http says. */
  readonly certSha256?: string
  /**
   * What carries motion: `datagrams`, or `stream`, where every loss holds up all that follows; for a network without
   * datagrams, and to compare. Default: `datagrams`.
   */
  readonly motion?: 'datagrams' | 'stream'
  /**
   * Makes connections in another way than by WebTransport, as tests do; `url` and `certSha256` count for nothing then.
   * Default: WebTransport.
   */
  readonly connect?: Connect
}

/** What entering a room takes. */
export interface EnterOptions<T extends RoomTypes = RegisteredTypes> {
  /** The presence to come with; of a room that was entered already it changes nothing. Default: empty. */
  readonly initialPresence?: T['Presence']
}

/** A client of one server. */
export interface Client {
  /**
   * Enters a room, `namespace:name`, over the client's one connection. A room that was entered already is the same
   * object; it is left when `leave` was called as often as `enterRoom`. Throws `TypeError` for what is no room's name.
   */
  enterRoom<T extends RoomTypes = RegisteredTypes>(
    id: string,
    options?: EnterOptions<T>,
  ): { readonly room: Room<T>; readonly leave: () => void }
  /** A room that was entered and not left. */
  getRoom<T extends RoomTypes = RegisteredTypes>(id: string): Room<T> | null
  /** The connection's status. */
  getStatus(): Status
  /** Calls `listener` with each new status, or with what went wrong with the connection. */
  subscribe<K extends keyof ClientListeners>(type: K, listener: (...values: ClientListeners[K]) => void): Unsubscribe
  /** Leaves all rooms and closes the connection; resolves when the server has heard it, or after a second. */
  logout(): Promise<void>
}

/** What a client tells, by type, and with which values. */
export interface ClientListeners {
  /** The connection's status changed. */
  status: [status: Status]
  /** A connection could not be made, or was lost. */
  error: [error: RoomError]
}

/** Makes a client. Nothing is connected before a room is entered. */
export function createClient(options: ClientOptions = {}): Client {
  return new RoomClient(options)
}

/** The longest attempt to connect, in milliseconds. */
const CONNECT_DEADLINE = 5_000
/** Pauses before another attempt grow from the first to the last, and are random below that. */
const PAUSE_FIRST = 250
const PAUSE_LAST = 20_000

/** The names of rooms, but for the bytes of their characters, which the server counts (rule R1). */
const ROOM_NAME = /^[a-z0-9_-]{1,32}:\P{Cc}{1,128}$/u

interface Entered {
  readonly room: ClientRoom<RoomTypes>
  times: number
}

class RoomClient implements Client {
  readonly #options: ClientOptions
  readonly #connect: Connect
  readonly #emitter = new Emitter<ClientListeners>()
  readonly #rooms = new Map<string, Entered>()
  #status: Status = 'initial'
  #connection: Connection | undefined
  /** Ends the attempts and pauses of the present run; there is one as long as there are rooms. */
  #run: AbortController | undefined

  constructor(options: ClientOptions) {
    this.#options = options
    const url = options.url === undefined ? undefined : new URL(options.url)
    if (url && !url.protocol.startsWith('http')) throw new TypeError(`no http: ${url}`)
    this.#connect = options.connect ?? webTransport(url, options.certSha256)
  }

  enterRoom<T extends RoomTypes = RegisteredTypes>(
    id: string,
    options: EnterOptions<T> = {},
  ): { readonly room: Room<T>; readonly leave: () => void } {
    if (!ROOM_NAME.test(id)) throw new TypeError(`${id} is no namespace:name`)
    const entered = this.#rooms.get(id) ?? this.#add(id, options.initialPresence)
    entered.times++
    let left = false
    const leave = (): void => {
      if (left) return
      left = true
      if (--entered.times === 0) this.#leave(id, entered)
    }
    return { room: entered.room as unknown as Room<T>, leave }
  }

  getRoom<T extends RoomTypes = RegisteredTypes>(id: string): Room<T> | null {
    return (this.#rooms.get(id)?.room as unknown as Room<T> | undefined) ?? null
  }

  getStatus(): Status {
    return this.#status
  }

  subscribe<K extends keyof ClientListeners>(type: K, listener: (...values: ClientListeners[K]) => void): Unsubscribe {
    return this.#emitter.subscribe(type, listener)
  }

  async logout(): Promise<void> {
    for (const { room } of this.#rooms.values()) room.leave()
    this.#rooms.clear()
    await this.#stop()
  }

  #add(id: string, presence: object | undefined): Entered {
    const room = new ClientRoom(id, presence)
    const entered = { room, times: 0 }
    this.#rooms.set(id, entered)
    room.handleStatus('connecting')
    if (this.#connection) room.handleConnection(this.#connection)
    else if (!this.#run) void this.#keepConnected((this.#run = new AbortController()).signal)
    return entered
  }

  #leave(id: string, entered: Entered): void {
    if (this.#rooms.get(id) !== entered) return
    this.#rooms.delete(id)
    entered.room.leave()
    if (!this.#rooms.size) void this.#stop()
  }

  async #stop(): Promise<void> {
    const connection = this.#connection
    this.#run?.abort()
    this.#run = undefined
    this.#connection = undefined
    this.#setStatus('initial')
    await connection?.close()
  }

  /** Connects, and connects again by the code of each end (rule C2), until `signal` or an end that forbids it. */
  async #keepConnected(signal: AbortSignal): Promise<void> {
    this.#setStatus('connecting')
    const page: Document | undefined = globalThis.document
    // Who hides the page is away (rule P4).
    page?.addEventListener('visibilitychange', () => this.#connection?.setAway(page.hidden), { signal })
    for (let failures = 0; ; failures++) {
      const began = clock()
      const end = await this.#connectOnce(signal)
      if (signal.aborted) return
      // A server that takes everyone and drops them at once has as long pauses as one that takes nobody.
      if (clock() - began > PAUSE_LAST) failures = 0
      await pause(Math.max(end.retryAfterMs ?? 0, backoff(failures)), signal)
      if (signal.aborted) return
    }
  }

  /** Resolves when the connection has ended or could not be made. */
  #connectOnce(signal: AbortSignal): Promise<End> {
    return new Promise((resolve) => {
      const attempt = new AbortController()
      const handleEnd = (end: End): void => {
        clearTimeout(timer)
        attempt.abort()
        if (!signal.aborted) this.#handleEnd(end)
        resolve(end)
      }
      const timer = setTimeout(() => handleEnd({ reason: 'no connection in time' }), CONNECT_DEADLINE)
      signal.onabort = () => handleEnd({ reason: '' })
      const connect = async (): Promise<void> => {
        const { name, auth, motion } = this.#options
        const hello = { name, token: (await auth?.())?.token, reliableMotion: motion === 'stream' }
        attempt.signal.throwIfAborted()
        const transport = await this.#connect(attempt.signal)
        if (attempt.signal.aborted) return transport.close(4000, '')
        clearTimeout(timer)
        const handleWelcome = (): void => void (signal.aborted || this.#setStatus('connected'))
        const connection = new Connection(transport, hello, handleWelcome, handleEnd)
        this.#connection = connection
        if (globalThis.document?.hidden) connection.setAway(true)
        for (const { room } of this.#rooms.values()) room.handleConnection(connection)
      }
      connect().catch((error: unknown) => attempt.signal.aborted || handleEnd({ reason: `${error}` }))
    })
  }

  #handleEnd(end: End): void {
    this.#connection = undefined
    const after = afterClose(end.closeCode)
    const isOver = after === 'stop' || (after === 'token' && !this.#options.auth)
    const status = isOver ? 'disconnected' : 'reconnecting'
    if (isOver) this.#run?.abort()
    if (isOver) this.#run = undefined
    const rooms = [...this.#rooms.values()]
    this.#setStatus(status)
    const { closeCode, reason, retryAfterMs } = end
    const code = closeCode === undefined ? 'connection_lost' : 'closed'
    this.#emitter.emit('error', new RoomError('connection', code, reason, { closeCode }, !isOver, retryAfterMs))
    for (const { room } of rooms) room.handleStatus(status)
  }

  #setStatus(status: Status): void {
    if (status === this.#status) return
    this.#status = status
    this.#emitter.emit('status', status)
  }
}

/** A random pause below a bound that doubles with each failure. */
function backoff(failures: number): number {
  return Math.random() * Math.min(PAUSE_FIRST * 2 ** failures, PAUSE_LAST)
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // A longer time is none to a timer.
    const timer = setTimeout(resolve, Math.min(ms, 2 ** 31 - 1))
    signal.onabort = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}
