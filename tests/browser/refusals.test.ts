// What a client is not let do: by itself, where it is told to; by the server, in an error of the room; and not at all,
// where its page comes from somewhere else.

import { isDeepStrictEqual } from 'node:util'
import { inject } from 'vitest'
import type { Command, Knowledge } from './page/knowledge.ts'
import { serve } from './support/folder.ts'
import type { BrowserGuest, Guest } from './support/guest.ts'
import { scenario } from './support/scenario.ts'
import { Unmet, type World } from './support/world.ts'

scenario('what is over a limit is refused where it is said or by an error, and nothing else suffers', async (world) => {
  const [ada, grace] = await Promise.all([world.page('Ada'), world.page('Grace')])
  await world.sees(grace, 'Ada', ({ others }) => others['Ada'] !== undefined)
  await world.sees(ada, 'Grace', ({ others }) => others['Grace'] !== undefined)
  await throwsWhatCannotBeSent(world, ada, grace)
  await tellsWhatTheServerRefuses(world, ada, grace)
})

/** Rules F3, F4, P3. */
async function throwsWhatCannotBeSent({ expects }: World, ada: BrowserGuest, grace: Guest): Promise<void> {
  // Said in the page: not all of it comes through to there.
  const wrong: readonly (readonly [() => void, string])[] = [
    [() => order({ presence: { born: new Date(0) } }), 'TypeError'],
    [() => order({ presence: { big: 1n } }), 'TypeError'],
    [() => order({ presence: { deep: JSON.parse('{"in":'.repeat(9) + 1 + '}'.repeat(9)) } }), 'TypeError'],
    [() => order({ presence: { text: 'x'.repeat(5_000) } }), 'RangeError'],
    [() => order({ event: { name: 'shout', data: new Date(0) } }), 'TypeError'],
    [() => order({ event: { name: 'shout', data: 'x'.repeat(70_000) } }), 'RangeError'],
  ]
  for (const [index, [say, error]] of wrong.entries()) {
    await expects(`wrong command ${index} throws a ${error}`, async (sees) => {
      const thrown: unknown = await ada.page.evaluate(say).catch((error: unknown) => error)
      if (!String(thrown).includes(error)) throw new Unmet(`there was no ${error}, but ${thrown}`)
      await ada.order({ presence: { index } })
      await ada.order({ event: { name: 'whisper', data: index } })
      await sees(grace, 'what came after, and nothing else', ({ others, events }) => {
        const isWhole = isDeepStrictEqual(others['Ada']?.presence, { name: 'Ada', index })
        return isWhole && events.length === index + 1 && events.at(-1)?.data === index
      })
    })
  }
}

/** Rules V3, D6, L1. */
async function tellsWhatTheServerRefuses({ sees }: World, ada: BrowserGuest, grace: Guest): Promise<void> {
  const wrong: readonly (readonly [Command, string])[] = [
    [{ event: { name: 'shout', data: 'x'.repeat(20_000) } }, 'room too_large'],
    [{ event: { name: '', data: null } }, 'room bad_request'],
    [{ patch: { id: 'none', fields: {} } }, 'edit no_record'],
  ]
  for (const [index, [command, error]] of wrong.entries()) {
    await ada.order(command)
    await sees(ada, error, ({ errors }) => errors.length === index + 1 && errors.at(-1) === error)
  }
  await ada.order({ event: { name: 'whisper', data: 'still here' } })
  await sees(grace, 'that Ada still speaks', ({ events }) => events.at(-1)?.data === 'still here')

  // Far more than may come in a second.
  await ada.page.evaluate(() => {
    for (let data = 0; data < 200; data++) order({ event: { name: 'burst', data } })
  })
  await sees(ada, 'that it was too much', ({ errors }) => errors.at(-1) === 'room rate_limited')
}

scenario('R2: a room that there can not be, here or at all, is an error of its entry', async ({ page, sees }) => {
  // 100 characters, of two bytes each.
  const tooLong = `default:${'ü'.repeat(100)}`
  const [ada, grace] = await Promise.all([page('Ada', { room: 'nowhere:lobby' }), page('Grace', { room: tooLong })])
  const isRefused = (error: string) => (knows: Knowledge) =>
    knows.status === 'disconnected' && isDeepStrictEqual(knows.errors, [error])
  await sees(ada, 'no such namespace', isRefused('entry not_found'))
  await sees(grace, 'no such name', isRefused('entry bad_request'))
})

scenario(
  'H3: a page from a foreign origin can not connect',
  async ({ server, page, expects, sees }) => {
    const foreign = await serve(inject('page'))
    try {
      const [ada, mallory] = await Promise.all([page('Ada'), page('Mallory', { origin: foreign.origin })])
      await sees(ada, 'the room', ({ status }) => status === 'connected')
      await expects('the server turns Mallory away', async (sees) => {
        await sees(mallory, 'no connection', ({ status, errors }) => status === 'reconnecting' && errors.length > 0)
        const count = await server.metric('hither_rejects_total{cause="origin"}')
        if (!(count > 0)) throw new Unmet(`${count} pages were turned away for their origin`)
      })
    } finally {
      foreign.close()
    }
  },
  { complaints: /WebTransport|net::ERR_|can’t establish a connection/ },
)
