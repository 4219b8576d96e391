// The bad network of the demo page: the same cursors by datagrams and by one stream, and how late each of them is.

import type { Page } from 'playwright-core'
import { DEMO } from './support/programs.ts'
import { scenario } from './support/scenario.ts'
import { showsIn } from './support/shows.ts'
import type { World } from './support/world.ts'

scenario('under loss the ghosts of one stream hang while datagrams go on, and without loss they do not', network, {
  folder: DEMO,
  // A viewer may not come through a bad network at once.
  complaints: /ERR_QUIC_PROTOCOL_ERROR/,
})

async function network(world: World): Promise<void> {
  const [ada, grace] = await Promise.all([world.open('/?room=tests'), world.open('/?room=tests')])
  const shows = showsIn(world)
  await shows('bots come', async (timeout) => {
    await ada.getByRole('button', { name: '50 bots', pressed: false }).click({ timeout })
    await ada.getByText('and 50 bots').waitFor({ timeout })
  })
  await shows('Ada sees ghosts, and Grace knows nobody more', async (timeout) => {
    await ada.getByRole('heading', { name: 'Through a bad network' }).click({ timeout })
    await ada.getByText('the same cursor by one stream').waitFor({ timeout })
    await grace.getByRole('heading', { name: 'People 52' }).waitFor({ timeout })
  })
  await shows('figures of a network that loses a fifth', (timeout) => setNetwork(ada, 20, 60, timeout))
  await shows('ghosts are out of date for more than twice as long as cursors', (timeout) =>
    waitForRatio(ada, 2, Infinity, timeout),
  )
  await shows('figures of one that loses nothing', (timeout) => setNetwork(ada, 0, 60, timeout))
  await shows('ghosts are not any more', (timeout) => waitForRatio(ada, 0, 2, timeout))
}

/** Makes the network so, and waits until the page has figures of it: it forgets those of another. */
async function setNetwork(page: Page, lossPercent: number, delayMs: number, timeout: number): Promise<void> {
  await page.getByRole('slider', { name: 'Packets lost' }).fill(`${lossPercent}`, { timeout })
  await page.getByRole('slider', { name: 'Delay each way' }).fill(`${delayMs}`, { timeout })
  await waitForRatio(page, -1, Infinity, timeout)
}

/** Waits until the page says that ghosts have been out of date for so many times as long as cursors. */
async function waitForRatio(page: Page, min: number, max: number, timeout: number): Promise<void> {
  const isSo = ([min, max]: readonly [number, number]): boolean => {
    const read = (id: string): number => parseFloat(document.getElementById(id)!.textContent)
    const ratio = read('network-ghosts') / read('network-live')
    return ratio > min && ratio < max
  }
  await page.waitForFunction(isSo, [min, max] as const, { timeout, polling: 100 })
}
