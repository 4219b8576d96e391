import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeWebSocket } from '../testing/web-socket.ts'
import type { Transport } from './transport.ts'
import { webSocket } from './websocket.ts'

const HERE = { url: '', ws: 'wss://a.example:4433/hither/1', certSha256: undefined }

let socket: FakeWebSocket
let transport: Transport
let datagrams: number[][]
let ends: [reason: string, code: number | undefined][]
let heard: number[][]

beforeEach(async () => {
  FakeWebSocket.made = []
  vi.stubGlobal('WebSocket', FakeWebSocket)
  datagrams = []
  ends = []
  heard = []
  const connecting = webSocket(HERE)(new AbortController().signal)
  socket = FakeWebSocket.made[0] as FakeWebSocket
  socket.open()
  transport = await connecting
  transport.listen({
    handleDatagram: (bytes) => void datagrams.push([...bytes]),
    handleClosed: (reason, code) => void ends.push([reason, code]),
  })
})

afterEach(() => {
  vi.unstubAllGlobals()
})

const listen = (chunk: Uint8Array): void => void heard.push([...chunk])

describe('connecting', () => {
  it('W1: is to the address that was found', () => {
    expect([socket.url, socket.binaryType]).toEqual(['wss://a.example:4433/hither/1', 'arraybuffer'])
  })

  it('fails when the browser fails', async () => {
    const connecting = webSocket(HERE)(new AbortController().signal)
    FakeWebSocket.made[1]?.end(1006)
    await expect(connecting).rejects.toThrow('no WebSocket at wss://a.example:4433/hither/1')
  })

  it('that is given up leaves no socket behind, and one that is there is left alone', async () => {
    const controller = new AbortController()
    const first = webSocket(HERE)(controller.signal)
    FakeWebSocket.made[1]?.open()
    await first
    const second = webSocket(HERE)(controller.signal)
    controller.abort()
    await expect(second).rejects.toThrow()
    expect(FakeWebSocket.made.slice(1).map(({ closedWith }) => closedWith)).toEqual([undefined, []])
    await expect(webSocket(HERE)(controller.signal)).rejects.toThrow()
    expect(FakeWebSocket.made).toHaveLength(3)
  })
})

describe('lanes', () => {
  it('W2: are messages, without their lengths, behind the lane and the room', () => {
    const control = transport.openStream(listen)
    const edits = transport.openStream(listen, 300)
    control.write(Uint8Array.of(2, 9, 8, 1))
    control.write(Uint8Array.of(7))
    edits.write(Uint8Array.of(1, 5))
    transport.sendDatagram(Uint8Array.of(2, 3))
    expect(socket.sent).toEqual([
      [0, 9, 8],
      [0, 7],
      [2, 0xac, 2, 5],
      [1, 2, 3],
    ])
  })

  it('W2: bring messages with their lengths', () => {
    transport.openStream(listen)
    transport.openStream(listen, 300)
    socket.say(0, 9, 8)
    socket.say(2, 0xac, 2, 5)
    socket.say(1, 2, 3)
    socket.say(2, 7, 5)
    expect([heard, datagrams]).toEqual([
      [
        [2, 9, 8],
        [1, 5],
      ],
      [[2, 3]],
    ])
  })

  it('W3, D1: that the server has ended are ended, too, and told of', () => {
    const ended: number[] = []
    for (const room of [7, 8]) transport.openStream(listen, room, () => void ended.push(room))
    socket.say(2, 8)
    socket.say(2, 8)
    expect([ended, socket.sent]).toEqual([[8], [[2, 8]]])
  })

  it('W3: of a room follow each other, each until both have ended it', () => {
    const first: number[][] = []
    const lane = transport.openStream((chunk) => void first.push([...chunk]), 7)
    lane.finish()
    lane.finish()
    const second = transport.openStream(listen, 7)
    second.write(Uint8Array.of(1, 4))
    socket.say(2, 7, 1)
    socket.say(2, 7)
    socket.say(2, 7, 2)
    expect([first, heard]).toEqual([[[1, 1]], [[1, 2]]])
    socket.say(2, 7)
    second.finish()
    socket.say(2, 7, 3)
    expect(heard).toHaveLength(1)
    expect(socket.sent).toEqual([
      [2, 7],
      [2, 7, 4],
      [2, 7],
    ])
  })
})

describe('motion', () => {
  it('W4: is not sent while more waits than leaves at once', () => {
    socket.bufferedAmount = 4_096
    transport.sendDatagram(Uint8Array.of(1))
    socket.bufferedAmount = 4_097
    transport.sendDatagram(Uint8Array.of(2))
    expect(socket.sent).toEqual([[1, 1]])
  })

  it('a server that does not read ends it', () => {
    socket.bufferedAmount = 4_194_305
    transport.openStream(listen).write(Uint8Array.of(1, 1))
    expect(ends).toEqual([['the server does not read', undefined]])
  })
})

describe('the end', () => {
  it.each<[code: number, reason: string, end: [string, number | undefined]]>([
    [4001, '', ['the server has closed', 4001]],
    [4200, 'stopping', ['stopping', 4200]],
    [1006, '', ['the server has closed', undefined]],
    [1000, '', ['the server has closed', undefined]],
  ])('W5: by %i is told with our codes only', (code, reason, end) => {
    socket.end(code, reason)
    socket.end(code, reason)
    expect(ends).toEqual([end])
  })

  it.each<[string, unknown, number]>([
    ['text', 'hello', 4001],
    ['nothing', new ArrayBuffer(), 4001],
    ['an unknown lane', Uint8Array.of(3, 1).buffer, 4001],
    ['a room cut short', Uint8Array.of(2, 0x80).buffer, 4001],
    ['more than a message', new ArrayBuffer(65_538), 4004],
  ])('W5: comes when the server sends %s', (_, data, code) => {
    socket.onmessage?.({ data })
    expect([ends, socket.closedWith]).toEqual([[['the protocol is broken', code]], [code]])
  })

  it('of our own is told by nobody, and nothing is heard after it', () => {
    transport.openStream(listen)
    transport.close(4000)
    socket.say(0, 1)
    socket.end(4000)
    expect([socket.closedWith, heard, ends]).toEqual([[4000], [], []])
  })
})
