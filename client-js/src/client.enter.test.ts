// How rooms are entered and left by what frameworks and `using` do.

import { beforeEach, describe, expect, it } from 'vitest'
import { createClient } from './client.ts'
import type { Room } from './room.ts'
import { FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'

let server: FakeServer

stopTime()

beforeEach(() => {
  server = new FakeServer()
})

describe('a room', () => {
  it('that is left and entered at once is one membership over one connection, at any time', async () => {
    const client = createClient({ connect: server.connect })
    const twice = (): Room => {
      const first = client.enterRoom('default:lobby')
      first.leave()
      const second = client.enterRoom('default:lobby')
      expect(second.room).toBe(first.room)
      return second.room
    }
    const told: unknown[] = []
    twice().subscribe('status', (status) => told.push(status))
    await pass()
    server.newest.welcome()
    twice()
    server.newest.say({ type: 'left', room: 9 })
    await pass(1_000)
    const said = server.newest.control.map(({ type }) => type)
    expect([server.connections.length, said, told]).toEqual([1, ['ping'], ['connected']])
  })

  it('await using leaves a room at the end of its block, and waits until the server has heard it', async () => {
    const client = createClient({ connect: server.connect })
    client.enterRoom('default:lobby')
    await pass()
    server.newest.welcome()
    {
      await using second = client.enterRoom('default:other')
      using third = client.enterRoom('default:third')
      expect([second.room.id, third.room.id]).toEqual(['default:other', 'default:third'])
    }
    await pass()
    expect([client.getRoom('default:other'), client.getRoom('default:third')]).toEqual([null, null])
    const alone = createClient({ connect: server.connect }).enterRoom('default:alone')
    await pass()
    let done = false
    void alone[Symbol.asyncDispose]().then(() => (done = true))
    await pass()
    expect([server.newest.take('bye').code, done]).toEqual([4000, false])
    server.newest.say({ type: 'bye', code: 4000, reason: '' })
    await pass()
    expect(done).toBe(true)
  })
})
