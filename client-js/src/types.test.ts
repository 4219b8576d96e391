// The types as an application sees them: what is wrong here is found by the compiler.

import { expectTypeOf, it } from 'vitest'
import { createClient, type PastEdit, type PastEvent, type RoomEvent, type User } from './index.ts'

interface Presence {
  name: string
  color?: number
}

interface Events {
  reaction: { emoji: string }
  wave: null
}

interface Note {
  text: string
  votes?: number
}

interface Types {
  Presence: Presence
  Events: Events
  Record: Note
}

it('interfaces are types of a room', () => {
  const client = createClient({ connect: () => Promise.reject(new Error('nobody')) })
  const { room, leave } = client.enterRoom<Types>('a:b', { initialPresence: { name: 'Ada' } })
  expectTypeOf(room.getPresence()).toEqualTypeOf<Readonly<Presence>>()
  expectTypeOf(room.getOthers()).toEqualTypeOf<readonly User<Types>[]>()
  expectTypeOf(room.records.get('a')).toEqualTypeOf<Readonly<Note> | undefined>()
  room.updatePresence({ color: null })
  // @ts-expect-error: a field that presence does not have
  room.updatePresence({ colour: 1 })
  // @ts-expect-error: an event that there is not
  room.broadcast('nod', null)
  // @ts-expect-error: data of another event
  room.broadcast('wave', { emoji: '👋' })
  const { records } = room
  void records.put('a', { text: '' }, { ifAbsent: true }).catch(() => {})
  void records.increment('a', { votes: 1 }).catch(() => {})
  records.submit([{ type: 'patch', id: 'a', fields: { votes: null }, ifVersion: 1 }]).applied.catch(() => {})
  // @ts-expect-error: text does not add up
  void records.increment('a', { text: 1 }).catch(() => {})
  // @ts-expect-error: only a put can want no record
  void records.patch('a', {}, { ifAbsent: true }).catch(() => {})
  records.select(
    ({ get }) => get('a')?.votes,
    (votes) => expectTypeOf(votes).toEqualTypeOf<number | undefined>(),
  )
  expectTypeOf(room.batch(() => 1)).toEqualTypeOf<number>()
  const emoji = (event: RoomEvent<Types>): string => (event.name === 'reaction' ? event.data.emoji : '')
  room.subscribe('event', (event) => expectTypeOf(event).toEqualTypeOf<RoomEvent<Types>>() && emoji(event))
  const edits = room.history({ limit: 1 })
  expectTypeOf(edits).resolves.toEqualTypeOf<readonly PastEdit<Types>[]>()
  edits.catch(() => {})
  const events = room.history({ of: 'events', before: { epoch: 1, number: 1 } })
  expectTypeOf(events).resolves.toEqualTypeOf<readonly PastEvent<Types>[]>()
  events.catch(() => {})
  // @ts-expect-error: events have no places
  void room.history({ of: 'events', before: 1 }).catch(() => {})
  leave()
})

it('without types any fields will do', () => {
  const client = createClient({ connect: () => Promise.reject(new Error('nobody')) })
  const { room, leave } = client.enterRoom('a:b')
  room.updatePresence({ anything: [1, 'two', null] })
  room.broadcast('anything', { x: 1 })
  void room.records.increment('a', { anything: 1 }).catch(() => {})
  leave()
})
