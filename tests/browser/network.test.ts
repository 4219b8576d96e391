// The bad network of the demo page: the same cursors by datagrams and by one stream, and how late each of them is.

import type { Page } from 'puppeteer-core'
import { DEMO } from './support/programs.ts'
import { scenario } from './support/scenario.ts'
import { byRole, showsIn } from './support/shows.ts'
import type { World } from './support/world.ts'

scenario('under loss the ghosts of one stream hang while datagrams go on, and without loss they do not', network, {
  folder: DEMO,
  // What it compares is the two lanes, not the browsers; Firefox takes three times as long to draw its figures.
  browsers: ['chromium'],
  // A viewer may not come through a bad network at once.
  complaints: /ERR_QUIC_PROTOCOL_ERROR/,
})

async function network(world: World): Promise<void> {
  const [ada, grace] = await Promise.all([world.open('/?room=tests'), world.open('/?room=tests')])
  const shows = showsIn(world)
  await shows('bots come', async (timeout) => {
    await ada
      .locator(byRole('.tools', 'button', '50 bots'))
      .setTimeout(timeout)
      .click()
    await ada.waitForSelector('::-p-text(and 50 bots)', { timeout })
  })
  await shows('Ada sees ghosts, and Grace knows nobody more', async (timeout) => {
    await ada.locator('#network summary').setTimeout(timeout).click()
    await ada.waitForSelector('::-p-text(the same cursor by one stream)', { visible: true, timeout })
    await grace.waitForSelector(byRole('#panel', 'heading', 'People 52'), { timeout })
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
  await page
    .locator(byRole('#network', 'slider', 'Packets lost'))
    .setTimeout(timeout)
    .fill(`${lossPercent}`)
  await page
    .locator(byRole('#network', 'slider', 'Delay each way'))
    .setTimeout(timeout)
    .fill(`${delayMs}`)
  await waitForRatio(page, -1, Infinity, timeout)
}

/** Waits until the page says that ghosts have been out of date for so many times as long as cursors. */
async function waitForRatio(page: Page, min: number, max: number, timeout: number): Promise<void> {
  const isSo = (min: number, max: number): boolean => {
    const read = (id: string): number => parseFloat(document.getElementById(id)!.textContent)
    const ratio = read('network-ghosts') / read('network-live')
    return ratio > min && ratio < max
  }
  await page.waitForFunction(isSo, { timeout, polling: 100 }, min, max)
}
