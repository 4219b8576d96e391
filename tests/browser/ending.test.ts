// Pages that end without a word, in every way that pages end: how soon another member knows.

import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'puppeteer-core'
import type { BrowserGuest, Guest } from './support/guest.ts'
import { scenario } from './support/scenario.ts'
import { type Sees, Unmet, type World } from './support/world.ts'

/** From a page's last packet, in milliseconds (rule R7). */
const LOST_MS_MAX = 2_500
const GONE_MS_MAX = 5_500
/** Who is lost sooner has closed its connection, by its last packet; who is not has fallen silent. */
const SILENCE_MS_MIN = 2_000
/** How late the others hear of it: a tick. */
const TICK_MS = 34
/**
 * Between two ends: a browser that is busy with others would be what is measured, since a page that falls silent sends
 * on until it is ended.
 */
const BETWEEN_MS = 500

/** How pages end; some of it is never answered. */
const ENDINGS = {
  closed: (page: Page): Promise<unknown> => page.close(),
  left: (page: Page): Promise<unknown> => page.goto('about:blank'),
  crashed: async (page: Page): Promise<unknown> => (await page.createCDPSession()).send('Page.crash'),
}

/** How many pages are to end, by how they do. */
type Trials = { readonly [how in keyof typeof ENDINGS]?: number }

/** How long it took until a page's end was known, in milliseconds. */
interface Times {
  readonly how: keyof Trials
  readonly lost: number
  readonly gone: number
}

scenario(
  'R7: tabs of Chromium that are closed, left or crash are lost, and gone within 5.5 s of their last packet',
  (world) => endPages(world, { closed: 20, left: 3, crashed: 3 }),
  { browsers: ['chromium'] },
)

// Fewer, as each is a window that takes long to open; and nothing that drives Firefox can crash a page of it.
scenario(
  'R7: tabs of Firefox that are closed or left are lost, and gone within 5.5 s of their last packet',
  (world) => endPages(world, { closed: 4, left: 2 }),
  { browsers: ['firefox'] },
)

async function endPages(world: World, trials: Trials): Promise<void> {
  const watcher = await world.native('Barbara')
  await world.expects('each page is lost and gone in time', async (sees) => {
    const ways = Object.keys(trials) as (keyof Trials)[]
    const hows = ways.flatMap((how) => Array<keyof Trials>(trials[how]!).fill(how))
    const guests: BrowserGuest[] = []
    for (const [index, how] of hows.entries()) {
      // By turns in the page itself and in a Worker of it.
      const guest = await world[index % 2 ? 'worker' : 'page'](`${how} ${index}`)
      await sees(watcher, guest.name, ({ others }) => others[guest.name]?.status === 'active')
      guests.push(guest)
    }
    const times = await Promise.all(
      guests.map(async (guest, index) => {
        await pause(index * BETWEEN_MS)
        return end(guest, hows[index]!, watcher, sees)
      }),
    )
    for (const how of ways) {
      const own = times.filter((time) => time.how === how)
      const longest = (of: 'lost' | 'gone'): number => Math.round(Math.max(...own.map((time) => time[of])))
      console.log(
        `${own.length} tabs ${how}: lost after at most ${longest('lost')} ms, gone after ${longest('gone')} ms`,
      )
    }
  })
}

async function end(guest: BrowserGuest, how: keyof Trials, watcher: Guest, sees: Sees): Promise<Times> {
  const { name, page } = guest
  const start = performance.now()
  ENDINGS[how](page).catch(() => {})
  await sees(watcher, `${name} lost`, ({ lost }) => lost.includes(name), LOST_MS_MAX)
  const lost = performance.now() - start
  const last = start + (lost < SILENCE_MS_MIN ? lost - TICK_MS : 0)
  await sees(watcher, `${name} gone`, ({ gone }) => gone.includes(name), GONE_MS_MAX)
  const gone = performance.now() - last
  if (gone > GONE_MS_MAX) throw new Unmet(`${name}, lost after ${lost} ms, was gone ${gone} ms after its last packet`)
  return { how, lost, gone }
}
