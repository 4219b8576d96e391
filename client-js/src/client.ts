// The client: rooms by name over one connection, which it makes when there is a room to be in, makes again when it is
// lost, and closes when the last room is left. When it does is the reconnect machine's to decide.

import { clock, Connection } from './connection.ts'
import type { EditQueue } from './edit-queue.ts'
import type { Editor } from './edits/edits.ts'
import { Emitter } from './emitter.ts'
import { RoomError } from './error.ts'
import { Page } from './page.ts'
import { ClientRoom, type Room } from './room.ts'
import { type Action, Reconnect } from './session/reconnect.ts'
import type { End, Welcome } from './session/session.ts'
import type { Connect } from './transport/transport.ts'
import { connectBy, type Transports } from './transport/race.ts'
import type { RegisteredTypes, RoomTypes, Status, Unsubscribe } from './types.ts'

/** How a client reaches its server, and as whom. */
export interface ClientOptions {
  /**
   * Where the server is. An `https:` address is its own; an `http:` one is asked for it. Default: the page's origin is
   * asked.
   */
  readonly url?: string | URL
  /** The name that the user would like to have, at most 64 bytes; a token's goes before it. Default: none. */
  readonly name?: string
  /**
   * Gives a token, for a server that wants one; called for the first connection, and when the server does not like the
   * last token any more. Without it the client is `disconnected` then. Default: none.
   */
  readonly auth?: () => { readonly token: string } | Promise<{ readonly token: string }>
  /** SHA-256 of the server's certificate in hex, to trust that one alone. Default: what the server's http says. */
  readonly certSha256?: string
  /**
   * What carries motion: `datagrams`, or `stream`, where every loss holds up all that follows; for a network without
   * datagrams, and to compare. Default: `datagrams`.
   */
  readonly motion?: 'datagrams' | 'stream'
  /**
   * What connections are made by: `webtransport`, `websocket`, or `auto`, which tries WebTransport first, and
   * WebSocket half a second later or where the other fails; `Room.getStats` says which it is. Default: `auto`.
   */
  readonly transports?: Transports
  /**
   * How many milliseconds a connection may be gone until `lost-connection` says `lost`. Less, and each change of a
   * network is told; more, and users work for nobody. Default: 5,000.
   */
  readonly lostConnectionTimeout?: number
  /**
   * Whether the browser asks its user before the page is left while `hasUnsentEdits`. It asks at every reload, too.
   * Default: false.
   */
  readonly warnOnUnload?: boolean
  /**
   * Keeps edits that are not answered over the end of the page, to be sent when their room is entered again: that of
   * `@hither/client/offline`, or one of your own. Default: they are kept as long as the page.
   */
  readonly offline?: EditQueue
  /**
   * Makes connections in another way, as tests do; `url`, `certSha256` and `transports` count for nothing then.
   * Default: by `transports`.
   */
  readonly connect?: Connect
}

/** What entering a room takes. */
export interface EnterOptions<T extends RoomTypes = RegisteredTypes> {
  /** The presence to come with; of a room that was entered already it changes nothing. Default: empty. */
  readonly initialPresence?: T['Presence']
}

/**
 * What entering a room gives. Where the runtime has `Symbol.dispose`, `using` and `await using` leave the room at the
 * end of their block; the latter waits for what `logout` waits for, if it was the last room.
 */
export type Entry<T extends RoomTypes = RegisteredTypes> = {
  /** The room. */
  readonly room: Room<T>
  /** Leaves it; calling it again does nothing. */
  readonly leave: () => void
} & { readonly [S in SymbolNamed<'dispose'>]: () => void } & {
  readonly [S in SymbolNamed<'asyncDispose'>]: () => Promise<void>
}

/** A symbol of the runtime, or nothing if the application's `lib` is older. */
type SymbolNamed<K extends string> = Extract<SymbolConstructor[K & keyof SymbolConstructor], symbol>

/** A client of one server. */
export interface Client {
  /**
   * Enters a room, `namespace:name`, over the client's one connection. A room that was entered already is the same
   * object; it is left when `leave` was called as often as `enterRoom`, unless it is entered again in the same task.
   * Throws `TypeError` for what is no room's name.
   */
  enterRoom<T extends RoomTypes = RegisteredTypes>(id: string, options?: EnterOptions<T>): Entry<T>
  /** A room that was entered and not left. */
  getRoom<T extends RoomTypes = RegisteredTypes>(id: string): Room<T> | null
  /** The connection's status. */
  getStatus(): Status
  /** Whether there are edits of which it is not known whether they are durable. */
  hasUnsentEdits(): boolean
  /** Calls `listener` with each new status, or with what went wrong with the connection. */
  subscribe<K extends keyof ClientListeners>(type: K, listener: (...values: ClientListeners[K]) => void): Unsubscribe
  /** Leaves all rooms and closes the connection; resolves when the server has heard it, or after a second. */
  logout(): Promise<void>
}

/** What a client tells, by type, and with which values. */
export interface ClientListeners {
  /**
   * The connection's status changed. With `connected`, `resumed` says whether the server knew this client: it is the
   * same user then, whom the others may not have seen go; each room's own `status` says that.
   */
  status: [status: Status, resumed: boolean]
  /** A connection could not be made, or was lost. */
  error: [error: RoomError]
}

/** Makes a client. Nothing is connected before a room is entered. */
export function createClient(options: ClientOptions = {}): Client {
  return new RoomClient(options)
}

/** The names of rooms, but for the bytes of their characters, which the server counts (rule R1). */
const ROOM_NAME = /^[a-z0-9_-]{1,32}:\P{Cc}{1,128}$/u
/** Close codes of ours (rule C2). */
const DONE = 4000
/** The longest time of a timer, in milliseconds. */
const TIMER_MAX = 2 ** 31 - 1

interface Entered {
  readonly room: ClientRoom<RoomTypes>
  times: number
}

class RoomClient implements Client {
  readonly #options: ClientOptions
  readonly #connect: Connect
  readonly #page: Page
  readonly #machine: Reconnect
  readonly #emitter = new Emitter<ClientListeners>()
  readonly #rooms = new Map<string, Entered>()
  /** Who numbers the edits of this client (rule D7). */
  readonly #editor: Editor = { id: crypto.getRandomValues(new Uint8Array(16)), last: 0 }
  #timer: ReturnType<typeof setTimeout> | undefined
  /** The newest attempt; its signal is aborted once it, or the connection that it brought, has ended. */
  #attempt = new AbortController()
  #connection: Connection | undefined
  /** What `auth` gave last. */
  #token: string | undefined
  /** What the session can be resumed with (rule S2), and whether it was. */
  #resumeToken: string | undefined
  #resumed = false

  constructor(options: ClientOptions) {
    this.#options = options
    const url = options.url === undefined ? undefined : new URL(options.url)
    if (url && !url.protocol.startsWith('http')) throw new TypeError(`no http: ${url}`)
    this.#connect = options.connect ?? connectBy(url, options.certSha256, options.transports)
    this.#page = new Page(url)
    this.#resumeToken = this.#page.takeToken()
    this.#machine = new Reconnect(options.lostConnectionTimeout ?? 5_000, !!options.auth)
  }

  enterRoom<T extends RoomTypes = RegisteredTypes>(id: string, options: EnterOptions<T> = {}): Entry<T> {
    if (!ROOM_NAME.test(id)) throw new TypeError(`${id} is no namespace:name`)
    const entered = this.#rooms.get(id) ?? this.#add(id, options.initialPresence)
    if (!entered.times++) entered.room.setSilent(false)
    let left: Promise<void> | undefined
    const leave = (): Promise<void> => (left ??= this.#leave(id, entered))
    const { dispose, asyncDispose } = Symbol as { readonly dispose?: symbol; readonly asyncDispose?: symbol }
    const ends = { ...(dispose && { [dispose]: leave }), ...(asyncDispose && { [asyncDispose]: leave }) }
    return { room: entered.room, leave, ...ends } as unknown as Entry<T>
  }

  getRoom<T extends RoomTypes = RegisteredTypes>(id: string): Room<T> | null {
    return (this.#rooms.get(id)?.room as unknown as Room<T> | undefined) ?? null
  }

  getStatus(): Status {
    return this.#machine.status
  }

  hasUnsentEdits(): boolean {
    return [...this.#rooms.values()].some(({ room }) => room.records.pendingCount > 0)
  }

  subscribe<K extends keyof ClientListeners>(type: K, listener: (...values: ClientListeners[K]) => void): Unsubscribe {
    return this.#emitter.subscribe(type, listener)
  }

  async logout(): Promise<void> {
    const rooms = [...this.#rooms.values()]
    this.#rooms.clear()
    for (const { room } of rooms) room.leave()
    await this.#stop()
  }

  handleHidden(isHidden: boolean): void {
    // Who hides the page is away (rule P4).
    this.#connection?.setAway(isHidden)
  }

  handleToken(token: string): void {
    this.#resumeToken = token
  }

  handleNudge(): void {
    this.#machine.handleNudge(clock(), Math.random())
    this.#act()
  }

  handleLeft(): void {
    // Firefox holds a left page's connection open until it collects its garbage.
    this.#abandon('the page is left')
  }

  #add(id: string, presence: object | undefined): Entered {
    const handleUnsent = (): void => void (this.#options.warnOnUnload && this.#page.warn(this.hasUnsentEdits()))
    const room = new ClientRoom(id, presence, this.#editor, this.#options.offline, handleUnsent)
    const entered = { room, times: 0 }
    this.#rooms.set(id, entered)
    room.handleStatus('connecting')
    if (this.#connection) room.handleConnection(this.#connection)
    this.#page.listen(this, () => this.#resumeToken)
    this.#machine.handleWanted(clock())
    this.#act()
    return entered
  }

  async #leave(id: string, entered: Entered): Promise<void> {
    if (--entered.times) return
    // A framework that mounts twice, to find mistakes, enters again at once: that is one stay.
    entered.room.setSilent(true)
    await undefined
    if (entered.times || this.#rooms.get(id) !== entered) return
    entered.room.setSilent(false)
    this.#rooms.delete(id)
    entered.room.leave()
    if (!this.#rooms.size) await this.#stop()
  }

  async #stop(): Promise<void> {
    const connection = this.#connection
    this.#attempt.abort()
    this.#connection = undefined
    this.#resumeToken = undefined
    this.#page.end()
    this.#machine.handleUnwanted()
    this.#act()
    await connection?.close()
  }

  /** Does what the machine wants, now and when it is due. */
  #act(): void {
    for (let action; (action = this.#machine.pollAction());) this.#do(action)
    clearTimeout(this.#timer)
    const wait = this.#machine.due - clock()
    if (wait === Infinity) return
    const handleTimeout = (): void => {
      this.#machine.handleTimeout(clock(), Math.random())
      this.#act()
    }
    this.#timer = setTimeout(handleTimeout, Math.min(wait, TIMER_MAX))
  }

  #do(action: Action): void {
    switch (action.type) {
      case 'connect':
        return void this.#connectOnce(action.newToken)
      case 'abandon':
        return this.#abandon('no connection in time')
      case 'status':
        return this.#emitter.emit('status', action.status, action.status === 'connected' && this.#resumed)
      case 'lost-connection':
        for (const { room } of [...this.#rooms.values()]) room.handleLostConnection(action.change)
    }
  }

  async #connectOnce(newToken: boolean): Promise<void> {
    const attempt = (this.#attempt = new AbortController())
    const { signal } = attempt
    const handleEnd = (end: End): void => this.#handleEnd(attempt, end)
    try {
      const { name, auth, motion } = this.#options
      if (newToken) this.#token = undefined
      const token = this.#token ?? (await auth?.())?.token
      // One that came too late for this attempt is the next one's.
      this.#token = token
      signal.throwIfAborted()
      const transport = await this.#connect(signal)
      if (signal.aborted) return transport.close(DONE)
      const hello = { name, token, reliableMotion: motion === 'stream', resumeToken: this.#resumeToken }
      const handleWelcome = (welcome: Welcome): void => void (signal.aborted || this.#handleWelcome(welcome))
      const connection = new Connection(transport, hello, handleWelcome, handleEnd)
      this.#connection = connection
      if (this.#page.isHidden) connection.setAway(true)
      for (const { room } of this.#rooms.values()) room.handleConnection(connection)
    } catch (error) {
      handleEnd({ reason: `${error}` })
    }
  }

  #handleWelcome(welcome: Welcome): void {
    this.#resumeToken = welcome.resumeToken
    this.#resumed = welcome.resumed
    this.#machine.handleWelcome(clock())
    this.#act()
  }

  /** Ends the attempt, or the connection, without a word to the server. */
  #abandon(reason: string): void {
    const connection = this.#connection
    this.#handleEnd(this.#attempt, { reason })
    connection?.handleClosed('')
  }

  #handleEnd(attempt: AbortController, { closeCode, reason, retryAfterMs }: End): void {
    if (attempt.signal.aborted) return
    attempt.abort()
    this.#connection = undefined
    this.#machine.handleEnd(clock(), closeCode, retryAfterMs, Math.random())
    const status = this.#machine.status as 'disconnected' | 'reconnecting'
    const isOver = status === 'disconnected'
    // Whose session it is now is not for this client to dispute.
    if (isOver) this.#resumeToken = undefined
    for (const { room } of [...this.#rooms.values()]) room.handleStatus(status)
    this.#act()
    const code = closeCode === undefined ? 'connection_lost' : 'closed'
    this.#emitter.emit('error', new RoomError('connection', code, reason, { closeCode }, !isOver, retryAfterMs))
  }
}
