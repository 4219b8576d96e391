// A browser's WebTransport without a browser, for tests: what the page hands it is kept, and the test says what comes.

/** One stream as the server sees it. */
export interface FakeStream {
  /** The chunks that came. */
  readonly written: Uint8Array[]
  /** Whether the page has finished it. */
  finished: boolean
  /** Says something on it. */
  readonly say: (chunk: Uint8Array) => void
  /** Finishes it, or breaks it off with an error. */
  readonly end: (error?: Error) => void
}

/** The class that a page finds as `WebTransport`. */
export class FakeWebTransport {
  /** Those that were made, in order. */
  static made: FakeWebTransport[] = []
  /** Whether there is `createWritable`, as in newer browsers. */
  static isNew = false
  /** Whether what the page writes goes out; else it waits for `flow`. */
  static isFlowing = true
  /** Whether sessions are there at once. */
  static isReachable = true

  static #waiting: (() => void)[] = []

  /** What waits goes out, and what comes later, too. */
  static flow(): void {
    this.isFlowing = true
    for (const go of this.#waiting.splice(0)) go()
  }

  /** Takes the next turn to go out. */
  static turn(): Promise<void> {
    return this.isFlowing ? Promise.resolve() : new Promise((go) => this.#waiting.push(go))
  }

  readonly url: string
  readonly options: WebTransportOptions
  readonly ready: Promise<void>
  readonly closed: Promise<WebTransportCloseInfo>
  /** What the page closed with. */
  closedWith: WebTransportCloseInfo | undefined
  readonly streams: FakeStream[] = []
  /** Datagrams that came, by the writable that the page got. */
  readonly sent = { property: [] as Uint8Array[], created: [] as Uint8Array[] }
  readonly datagrams: {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
    createWritable?: () => WritableStream<Uint8Array>
    incomingHighWaterMark: number
  }
  /** The session is there, if it was not at once. */
  readonly open: () => void
  /** The session ends by itself. */
  readonly end: (info: WebTransportCloseInfo) => void
  /** The session fails. */
  readonly fail: (error: Error) => void
  /** A datagram comes. */
  readonly sayDatagram: (bytes: Uint8Array) => void

  constructor(url: string, options: WebTransportOptions) {
    FakeWebTransport.made.push(this)
    this.url = url
    this.options = options
    const ready = resolvers<void>()
    const closed = resolvers<WebTransportCloseInfo>()
    if (FakeWebTransport.isReachable) ready.resolve()
    this.ready = ready.promise
    this.closed = closed.promise
    this.open = ready.resolve
    this.end = closed.resolve
    this.fail = (error) => {
      ready.reject(error)
      closed.reject(error)
    }
    const incoming = readable()
    this.sayDatagram = incoming.say
    this.datagrams = {
      readable: incoming.stream,
      writable: writable(this.sent.property),
      incomingHighWaterMark: 1,
    }
    if (FakeWebTransport.isNew) this.datagrams.createWritable = () => writable(this.sent.created)
  }

  async createBidirectionalStream(): Promise<WebTransportBidirectionalStream> {
    const { stream, say, end } = readable()
    const fake: FakeStream = { written: [], finished: false, say, end }
    this.streams.push(fake)
    return { readable: stream, writable: writable(fake.written, () => (fake.finished = true)) } as never
  }

  close(info: WebTransportCloseInfo = {}): void {
    this.closedWith = info
    this.fail(new Error('closed here'))
  }
}

function readable(): Pick<FakeStream, 'say' | 'end'> & { stream: ReadableStream<Uint8Array> } {
  let controller: ReadableStreamDefaultController<Uint8Array>
  const stream = new ReadableStream<Uint8Array>({ start: (its) => void (controller = its) })
  return {
    stream,
    say: (chunk) => controller.enqueue(chunk),
    end: (error) => (error ? controller.error(error) : controller.close()),
  }
}

/** A stream that takes one chunk at a time. */
function writable(into: Uint8Array[], close: () => void = () => {}): WritableStream<Uint8Array> {
  const write = (chunk: Uint8Array): Promise<void> => {
    into.push(chunk)
    return FakeWebTransport.turn()
  }
  return new WritableStream({ write, close })
}

function resolvers<T>(): {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: Error) => void
} {
  let resolve = (_: T): void => {}
  let reject = (_: Error): void => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
