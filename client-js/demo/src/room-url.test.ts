// Addresses of rooms: whatever stands in one, the server takes the room that it names.

import { describe, expect, it } from 'vitest'
import { joinSecretOf, linkTo, roomIdOf, roomNameOf } from './room-url.ts'

const PAGE = 'http://127.0.0.1:8080/'

describe('the room of an address', () => {
  it.each([
    ['', 'lobby'],
    ['?room=', 'lobby'],
    ['?room=%20%00', 'lobby'],
    ['?room=design', 'design'],
    ['?room=K%C3%B6ln%3A1', 'Köln:1'],
    ['?other=1&room=a#b', 'a'],
  ])('%s is %s', (query, name) => {
    expect(roomNameOf(PAGE + query)).toBe(name)
  })

  it('has no name that is too long, nor half a character', () => {
    expect(roomNameOf(`${PAGE}?room=${'💡'.repeat(40)}`)).toBe('💡'.repeat(32))
  })

  it('is one of the default namespace', () => {
    expect(roomIdOf('a')).toBe('default:a')
  })
})

it('a link leads to the room that it was made for', () => {
  for (const name of ['lobby', 'Köln & co', 'a=b?c#d', '100%']) {
    const link = linkTo(name, `${PAGE}?room=other#board`)
    expect(roomNameOf(link)).toBe(name)
    expect(link).not.toContain('board')
  }
})

it('what opens a server of the local network goes along with its links, and with no other', () => {
  expect(joinSecretOf(`${PAGE}?room=a#join=0a1b`)).toBe('0a1b')
  expect(joinSecretOf(linkTo('b', `${PAGE}?room=a#join=0a1b`))).toBe('0a1b')
  for (const other of ['', '#join=', '#join=a&b', '#board']) expect(joinSecretOf(PAGE + other)).toBeUndefined()
})
