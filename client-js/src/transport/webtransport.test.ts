import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeWebTransport } from '../testing/web-transport.ts'
import type { Transport } from './transport.ts'
import { webTransport } from './webtransport.ts'

const HERE = { url: 'https://a.example:4433/hither/1', ws: '', certSha256: undefined }

/** What the transport has told: datagrams, and its end. */
let datagrams: number[]
let ends: string[]

beforeEach(() => {
  datagrams = []
  ends = []
  Object.assign(FakeWebTransport, { made: [], isNew: false, isFlowing: true, isReachable: true })
  vi.stubGlobal('WebTransport', FakeWebTransport)
})

afterEach(() => {
  vi.unstubAllGlobals()
})

/** Lets streams and promises do all that they can. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function connect(): Promise<{ transport: Transport; session: FakeWebTransport }> {
  const transport = await webTransport(HERE)(new AbortController().signal)
  transport.listen({
    handleDatagram: (bytes) => void datagrams.push(...bytes),
    handleClosed: (reason) => void ends.push(reason),
  })
  return { transport, session: FakeWebTransport.made[0] as FakeWebTransport }
}

describe('connecting', () => {
  it('trusts the one certificate that it is given', async () => {
    await webTransport({ ...HERE, certSha256: '00ff7a' })(new AbortController().signal)
    expect(FakeWebTransport.made).toMatchObject([
      {
        url: 'https://a.example:4433/hither/1',
        options: { serverCertificateHashes: [{ algorithm: 'sha-256', value: Uint8Array.of(0, 255, 0x7a) }] },
      },
    ])
  })

  it('leaves it to the browser whom to trust when it is given none', async () => {
    expect((await connect()).session.options).toEqual({})
  })

  it('fails where there is no WebTransport', async () => {
    vi.stubGlobal('WebTransport', undefined)
    await expect(connect()).rejects.toThrow('WebTransport')
  })

  it('fails with the reason of the browser', async () => {
    FakeWebTransport.isReachable = false
    const connecting = connect()
    await settle()
    FakeWebTransport.made[0]?.fail(new Error('opening handshake failed'))
    await expect(connecting).rejects.toThrow('opening handshake failed')
  })

  it('that is given up leaves no session behind, and one that is there is left alone', async () => {
    const controller = new AbortController()
    const connecting = webTransport(HERE)
    await connecting(controller.signal)
    FakeWebTransport.isReachable = false
    const second = connecting(controller.signal)
    await settle()
    controller.abort()
    await expect(second).rejects.toThrow()
    expect(FakeWebTransport.made.map(({ closedWith }) => closedWith !== undefined)).toEqual([false, true])
  })
})

describe('streams', () => {
  it('H2: are opened in order, and take what is written before they are there', async () => {
    const { transport, session } = await connect()
    const received: number[] = []
    const control = transport.openStream((chunk) => received.push(...chunk))
    const edits = transport.openStream((chunk) => received.push(...chunk))
    edits.write(Uint8Array.of(3))
    control.write(Uint8Array.of(1))
    control.write(Uint8Array.of(2))
    edits.finish()
    await settle()
    expect(session.streams).toMatchObject([
      { written: [Uint8Array.of(1), Uint8Array.of(2)], finished: false },
      { written: [Uint8Array.of(3)], finished: true },
    ])
    session.streams[1]?.say(Uint8Array.of(7))
    await settle()
    session.streams[0]?.say(Uint8Array.of(8))
    await settle()
    expect(received).toEqual([7, 8])
  })

  it('D1: that the server has finished are told of, and those that broke off with the connection are not', async () => {
    const { transport, session } = await connect()
    const finished: number[] = []
    for (const room of [1, 2])
      transport.openStream(
        () => {},
        room,
        () => void finished.push(room),
      )
    await settle()
    session.streams[0]?.end(new Error('the connection is gone'))
    session.streams[1]?.end()
    await settle()
    expect(finished).toEqual([2])
  })

  it('that the server does not read end the connection, once 4 MiB wait', async () => {
    FakeWebTransport.isFlowing = false
    const { transport } = await connect()
    const stream = transport.openStream(() => {})
    for (let mebibyte = 0; mebibyte < 4; mebibyte++) stream.write(new Uint8Array(1_048_576))
    await settle()
    expect(ends).toEqual([])
    stream.write(Uint8Array.of(1))
    stream.write(Uint8Array.of(2))
    expect(ends).toEqual(['the server does not read'])
  })

  it('that the server reads may have any number of bytes', async () => {
    const { transport } = await connect()
    const stream = transport.openStream(() => {})
    for (let mebibyte = 0; mebibyte < 10; mebibyte++) {
      stream.write(new Uint8Array(1_048_576))
      await settle()
    }
    expect(ends).toEqual([])
  })
})

describe('datagrams', () => {
  it('come one by one, and the browser keeps no more than 64', async () => {
    const { session } = await connect()
    session.sayDatagram(Uint8Array.of(1))
    session.sayDatagram(Uint8Array.of(2))
    await settle()
    expect([datagrams, session.datagrams.incomingHighWaterMark]).toEqual([[1, 2], 64])
  })

  it('are dropped while an older one waits', async () => {
    FakeWebTransport.isFlowing = false
    const { transport, session } = await connect()
    await settle()
    transport.sendDatagram(Uint8Array.of(1))
    transport.sendDatagram(Uint8Array.of(2))
    FakeWebTransport.flow()
    await settle()
    transport.sendDatagram(Uint8Array.of(3))
    await settle()
    expect(session.sent.property).toEqual([Uint8Array.of(1), Uint8Array.of(3)])
  })

  it('go out as they come while nothing waits', async () => {
    const { transport, session } = await connect()
    for (const byte of [1, 2, 3]) {
      await settle()
      transport.sendDatagram(Uint8Array.of(byte))
    }
    await settle()
    expect(session.sent.property).toHaveLength(3)
  })

  it('go by createWritable where there is one', async () => {
    FakeWebTransport.isNew = true
    const { transport, session } = await connect()
    await settle()
    transport.sendDatagram(Uint8Array.of(1))
    await settle()
    expect(session.sent).toEqual({ property: [], created: [Uint8Array.of(1)] })
  })
})

describe('the end', () => {
  it.each([
    ['going away', 'going away'],
    ['', 'the server has closed'],
  ])('that the server makes with reason "%s" is told', async (reason, told) => {
    const { session } = await connect()
    session.end({ closeCode: 4200, reason })
    await settle()
    expect(ends).toEqual([told])
  })

  it('of a network that is gone is told', async () => {
    const { session } = await connect()
    session.fail(new Error('connection lost'))
    await settle()
    expect(ends).toEqual(['Error: connection lost'])
  })

  it('that is made here has a code, and is not told; nothing is told after it', async () => {
    const { transport, session } = await connect()
    const received: number[] = []
    transport.openStream((chunk) => received.push(...chunk))
    await settle()
    transport.close(4001)
    session.sayDatagram(Uint8Array.of(1))
    session.streams[0]?.say(Uint8Array.of(1))
    await settle()
    expect(session.closedWith).toEqual({ closeCode: 4001 })
    expect([ends, datagrams, received]).toEqual([[], [], []])
  })

  it('makes no errors of what is still being written', async () => {
    FakeWebTransport.isFlowing = false
    const { transport, session } = await connect()
    const stream = transport.openStream(() => {})
    session.createBidirectionalStream = () => Promise.reject(new Error('no streams'))
    const late = transport.openStream(() => {})
    stream.write(Uint8Array.of(1))
    late.write(Uint8Array.of(1))
    late.finish()
    transport.close(4000)
    await settle()
    expect(ends).toEqual([])
  })
})
