// The transport of browsers: WebTransport, whose promises and streams end here.

import type { Endpoint } from './discovery.ts'
import type { Connect, Transport, TransportHandler, TransportStream } from './transport.ts'

/** What may wait to be sent on a connection's streams, in bytes; beyond, the server does not read, and it is over. */
const QUEUE_BYTES_MAX = 4_194_304
/** Datagrams of the browser's that may wait for the page; it drops what is beyond. */
const DATAGRAMS_WAITING_MAX = 64

/** Connects by WebTransport to a server that was found. */
export function webTransport(endpoint: Endpoint): Connect {
  return async (signal) => {
    const session = new WebTransport(endpoint.url, options(endpoint))
    const abort = (): void => session.close()
    signal.addEventListener('abort', abort)
    try {
      // A failed session says so twice.
      session.closed.catch(() => {})
      await session.ready
    } finally {
      signal.removeEventListener('abort', abort)
    }
    return new WebTransportTransport(session)
  }
}

class WebTransportTransport implements Transport {
  readonly type = 'webtransport'
  readonly #session: WebTransport
  readonly #datagrams: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>
  #handler: TransportHandler | undefined
  #queued = 0

  constructor(session: WebTransport) {
    this.#session = session
    const { datagrams } = session
    datagrams.incomingHighWaterMark = DATAGRAMS_WAITING_MAX
    // Newer browsers make writers, older ones have one.
    const { createWritable } = datagrams as { createWritable?: () => typeof datagrams.writable }
    this.#datagrams = (createWritable?.call(datagrams) ?? datagrams.writable).getWriter()
  }

  listen(handler: TransportHandler): void {
    this.#handler = handler
    this.#pump(this.#session.datagrams.readable, (bytes) => handler.handleDatagram(bytes))
    this.#session.closed.then(
      ({ reason }) => this.#end(reason || 'the server has closed'),
      (error: unknown) => this.#end(`${error}`),
    )
  }

  openStream(receive: (chunk: Uint8Array) => void, _room?: number, onEnd?: () => void): TransportStream {
    // What is written before the browser has made the stream waits for it, in order.
    const writer = this.#session.createBidirectionalStream().then((stream) => {
      void this.#pump(stream.readable, receive).then((isFinished) => isFinished && onEnd?.())
      return stream.writable.getWriter()
    })
    // A stream fails with its connection, whose end is told by `closed`.
    const then = (action: (writer: WritableStreamDefaultWriter) => Promise<void>): Promise<void> =>
      writer.then(action).catch(() => {})
    return {
      write: (bytes) => {
        this.#queued += bytes.length
        if (this.#queued > QUEUE_BYTES_MAX) return this.#end('the server does not read')
        void then((stream) => stream.write(bytes)).then(() => (this.#queued -= bytes.length))
      },
      finish: () => void then((stream) => stream.close()),
    }
  }

  sendDatagram(bytes: Uint8Array<ArrayBuffer>): void {
    // A full buffer has older motion than this; newer comes again soon.
    if ((this.#datagrams.desiredSize ?? 0) > 0) this.#datagrams.write(bytes).catch(() => {})
  }

  close(closeCode: number): void {
    this.#handler = undefined
    this.#session.close({ closeCode })
  }

  #end(reason: string): void {
    this.#handler?.handleClosed(reason)
    this.#handler = undefined
  }

  /** Returns whether the server has finished the stream, and the connection is there. */
  async #pump(readable: ReadableStream<Uint8Array>, receive: (bytes: Uint8Array) => void): Promise<boolean> {
    const reader = readable.getReader()
    for (;;) {
      // A stream fails with its connection, whose end is told by `closed`. What `receive` throws is not caught here.
      const { value, done } = await reader.read().catch(() => ({ value: undefined, done: false }))
      if (!value || !this.#handler) return done && !!this.#handler
      receive(value)
    }
  }
}

function options({ certSha256 }: Endpoint): WebTransportOptions {
  if (!certSha256) return {}
  const value = Uint8Array.from(certSha256.match(/../g) ?? [], (pair) => parseInt(pair, 16))
  return { serverCertificateHashes: [{ algorithm: 'sha-256', value }] }
}
