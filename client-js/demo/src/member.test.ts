// What others say of themselves: whatever it is, there is something to show.

import type { Room, User } from '@hither/client'
import { describe, expect, it } from 'vitest'
import { companyIn, hueOf, isBot, nameOf } from './member.ts'

function user(presence: object, info: { name?: string } = {}): User {
  return { connectionId: 3, id: 'u', info, presence: presence as User['presence'], status: 'active' }
}

describe('a member', () => {
  it.each([
    [{ name: 'Ada' }, {}, 'Ada'],
    [{ name: '  ' }, { name: 'Ada L.' }, 'Ada L.'],
    [{ name: 7 }, {}, 'Somebody'],
    [{}, {}, 'Somebody'],
    [{ name: '💡'.repeat(30) }, {}, '💡'.repeat(24)],
  ])('%j, known as %j, is called %s', (presence, info, name) => {
    expect(nameOf(user(presence, info))).toBe(name)
  })

  it.each([
    [{ color: 200 }, 200],
    [{ color: 360 }, 0],
    [{ color: -10.4 }, 350],
    [{ color: Infinity }, 51],
    [{ color: 'red' }, 51],
    [{}, 51],
  ])('%j has a hue of %i', (presence, hue) => {
    expect(hueOf(user(presence))).toBe(hue)
  })

  it('is a bot if it says so, and only then', () => {
    expect([{ bot: true }, { bot: 1 }, {}].map((presence) => isBot(user(presence)))).toEqual([true, false, false])
  })

  it('is company unless it says that it only looks on', () => {
    const others = [{}, { viewer: true }, { viewer: 1 }].map((presence) => user(presence))
    expect(companyIn({ getOthers: () => others } as unknown as Room)).toEqual([others[0], others[2]])
  })
})
