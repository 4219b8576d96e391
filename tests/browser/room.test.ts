// Four clients of three kinds in one room: each sees what the others say, do and edit, and where they point and go.

import { isDeepStrictEqual } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import type { Knowledge } from './page/knowledge.ts'
import type { Guest } from './support/guest.ts'
import { scenario } from './support/scenario.ts'
import { Unmet, type World } from './support/world.ts'

/** How long who is lost may come back, from its last packet, in milliseconds. */
const GRACE_MS = 5_000
/** How long nothing comes from who is lost, at most. */
const SILENCE_MS = 2_500
/** What was sent and not acked is sent again long before this, in milliseconds. */
const QUIET_MS = 250

scenario('each sees the names, presence, events, records and cursors of the others', async (world) => {
  const guests = await fourGuests(world)
  await seeNames(world, guests)
  await seePresence(world, guests)
  await seeEvents(world, guests)
  await seeRecords(world, guests)
  await seeCursors(world, guests)
})

scenario('R6: each sees the others leave at once, and come back', async (world) => {
  const guests = await fourGuests(world)
  // Who leaves the last room closes the connection, who stays in another one does not.
  for (const guest of guests) {
    if (guest.name === 'Ada' || guest.kind === 'worker') await guest.order({ also: 'default:hall' })
  }
  for (const leaver of guests) {
    const { name } = leaver
    const others = guests.filter((guest) => guest !== leaver)
    const isGone = ({ gone, lost, others }: Knowledge): boolean =>
      gone.includes(name) && !lost.includes(name) && !others[name]
    await leaver.order({ leave: true })
    // Well before a grace would be over.
    await each(others, (guest) => world.sees(guest, `${name} gone`, isGone, 2_000))
    await leaver.order({ enter: true })
    const isBack = ({ gone, others }: Knowledge): boolean => gone.includes(name) && others[name] !== undefined
    await each(others, (guest) => world.sees(guest, `${name} again`, isBack))
  }
})

scenario('R7: who vanishes is lost at first, and gone after its grace', vanish, {
  // How tabs of Firefox end has tests of its own.
  browsers: ['chromium'],
})

async function vanish(world: World): Promise<void> {
  const [ada, ...others] = (await fourGuests(world)) as [Guest, ...Guest[]]
  await each(others, (guest) => guest.vanish())
  await each(others, async ({ name }) => {
    await world.sees(ada, `${name} lost`, (knows) => knows.others[name]?.status === 'lost')
    const since = performance.now()
    await world.expects(`${name} is gone after its grace`, async (sees) => {
      const isGone = ({ gone, others }: Knowledge): boolean => gone.includes(name) && !others[name]
      await sees(ada, `${name} gone`, isGone, GRACE_MS + 3_000)
      // A native client's end is noticed late, by its silence, which the grace counts from.
      const stayed = performance.now() - since
      if (stayed < GRACE_MS - SILENCE_MS - 500) throw new Unmet(`${name} was gone after ${stayed} ms`)
    })
  })
}

async function seeNames(world: World, guests: Guest[]): Promise<void> {
  for (const guest of guests) {
    const names = guests.filter((other) => other !== guest).map(({ name }) => name)
    const isExact = ({ others }: Knowledge): boolean => isDeepStrictEqual(Object.keys(others).sort(), names.sort())
    await world.sees(guest, `${names}, and nobody else`, isExact)
  }
}

/** Rules P1, P2. */
async function seePresence(world: World, guests: Guest[]): Promise<void> {
  const nested = { list: [1, 2.5, null, 'ü'], deep: { yes: true } }
  await each(guests, (guest) => guest.order({ presence: { typing: true, mood: guest.name, nested } }))
  await eachSees(world, guests, 'typing', ({ others }, { name }) => others[name]?.presence['typing'] === true)
  await each(guests, (guest) => guest.order({ presence: { typing: null, count: -3 } }))
  await eachSees(world, guests, 'with every field as it was patched', ({ others }, { name }) => {
    // The terminal has a colour, too.
    const { color, ...presence } = others[name]?.presence ?? {}
    return isDeepStrictEqual(presence, { name, mood: name, nested, count: -3 })
  })
}

/** Rule V1: in their order, and once. */
async function seeEvents(world: World, guests: Guest[]): Promise<void> {
  const emojis = ['👍', '🎉', '💜']
  await each(guests, async (guest) => {
    for (const emoji of emojis) await guest.order({ event: { name: 'reaction', data: { emoji } } })
  })
  await eachSees(world, guests, 'react three times', ({ events }, { name }) => {
    const theirs = events.filter(({ from }) => from === name)
    return isDeepStrictEqual(
      theirs,
      emojis.map((emoji) => ({ name: 'reaction', data: { emoji }, from: name })),
    )
  })
  for (const guest of guests) {
    await world.sees(guest, 'nine events and none of its own', ({ events }) => {
      return events.length === 9 && events.every(({ from }) => from !== guest.name)
    })
  }
}

/** Rules D2, D4. */
async function seeRecords(world: World, guests: Guest[]): Promise<void> {
  await each(guests, async (guest) => {
    await guest.order({ put: { id: `note-${guest.name}`, fields: { text: guest.name, x: 1, y: 2.5 } } })
    await guest.order({ put: { id: `draft-${guest.name}`, fields: {} } })
  })
  await eachSees(world, guests, 'draft', ({ records }, { name }) => records[`draft-${name}`] !== undefined)
  await each(guests, async (guest, y) => {
    await guest.order({ patch: { id: `note-${guest.name}`, fields: { x: null, y } } })
    await guest.order({ remove: { id: `draft-${guest.name}` } })
  })
  const notes = Object.fromEntries(guests.map(({ name }, y) => [`note-${name}`, { text: name, y }]))
  for (const guest of guests) {
    const isExact = ({ records }: Knowledge): boolean => isDeepStrictEqual(records, notes)
    await world.sees(guest, 'every note as it was patched, and no draft', isExact)
  }
}

/** Rules M10, M11: exactly the last position once it rests, and nothing older after it. */
async function seeCursors(world: World, guests: Guest[]): Promise<void> {
  const path = (index: number): [number, number][] =>
    Array.from({ length: 40 }, (_, step) => [step * 7 - index * 100, Math.round(300 * Math.sin(step / 5 + index))])
  const paths = new Map(guests.map(({ name }, index) => [name, path(index)]))
  const isAtRest = ({ cursors }: Knowledge, { name }: Guest): boolean =>
    isDeepStrictEqual(cursors[name], paths.get(name)?.at(-1))
  await each(guests, async (guest) => {
    for (const motion of paths.get(guest.name) ?? []) {
      await guest.order({ motion })
      await pause(16)
    }
  })
  await eachSees(world, guests, 'at rest', isAtRest)
  await each(guests, (guest) => guest.order({ event: { name: 'rested', data: null } }))
  await eachSees(world, guests, 'at rest still, later', (knows, other) => {
    return knows.events.some(({ name, from }) => name === 'rested' && from === other.name) && isAtRest(knows, other)
  })
  for (const guest of guests) {
    await world.sees(guest, 'three cursors, on their way, too', ({ cursors, moves }) => {
      return Object.keys(cursors).length === 3 && moves > 30
    })
  }
  await world.expects('nothing is sent where nothing moves', async (_, ms) => {
    const count = (): Promise<number> => world.server.metric('hither_datagrams_out_total')
    const until = performance.now() + ms
    let [before, now] = [NaN, await count()]
    while (before !== now) {
      if (performance.now() > until) throw new Unmet('datagrams go out on and on')
      await pause(QUIET_MS)
      ;[before, now] = [now, await count()]
    }
  })
}

/** Two pages, a Worker and a native client, each of whom has seen the others come. */
async function fourGuests(world: World): Promise<Guest[]> {
  const guests = await Promise.all([
    world.page('Ada'),
    world.page('Grace'),
    world.worker('Edsger'),
    world.native('Barbara'),
  ])
  await eachSees(world, guests, 'there', ({ others }, { name }) => others[name]?.status === 'active')
  return guests
}

/** Expects each of the guests to see something of each other one. */
async function eachSees(
  { sees }: World,
  guests: readonly Guest[],
  what: string,
  is: (knows: Knowledge, other: Guest) => boolean,
): Promise<void> {
  const looks = guests.flatMap((guest) =>
    guests
      .filter((other) => other !== guest)
      .map((other) => sees(guest, `${other.name} ${what}`, (knows) => is(knows, other))),
  )
  await Promise.all(looks)
}

function each(guests: readonly Guest[], action: (guest: Guest, index: number) => Promise<void>): Promise<unknown> {
  return Promise.all(guests.map(action))
}
