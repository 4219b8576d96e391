// The demo page, as two people use it: by names, the mouse, notes and the button for bots.

import type { Page } from 'puppeteer-core'
import { DEMO } from './support/programs.ts'
import { scenario } from './support/scenario.ts'
import { byRole, showsIn } from './support/shows.ts'
import type { World } from './support/world.ts'

/** The only note. */
const NOTE = byRole('#notes', 'textbox', 'Note')

scenario('two people meet on the demo page, point, write a note, and call bots', demo, { folder: DEMO })

async function demo(world: World): Promise<void> {
  const [ada, grace] = await Promise.all([world.open('/?room=tests'), world.open('/?room=tests')])
  const shows = showsIn(world)

  for (const [page, name] of [
    [ada, 'Ada'],
    [grace, 'Grace'],
  ] as const) {
    await page.locator(byRole('.me', 'textbox', 'Your name')).fill(name)
  }
  await shows('Ada lists Grace', (timeout) => ada.waitForSelector(person('Grace'), { timeout }))
  await shows('Grace lists Ada', (timeout) => grace.waitForSelector(person('Ada'), { timeout }))

  for (const [name, mover, viewer] of [
    ['Ada', ada, grace],
    ['Grace', grace, ada],
  ] as const) {
    await shows(`${name}'s cursor is seen where it comes to rest`, async (ms) => {
      await moveTo(mover, 0.2, 0.3)
      await cursorIsAt(viewer, 0.2, 0.3, ms)
      await moveTo(mover, 0.7, 0.6)
      await cursorIsAt(viewer, 0.7, 0.6, ms)
    })
  }

  await shows('a note that Ada puts and writes on shows, and goes when Grace removes it', async (timeout) => {
    await ada
      .locator(byRole('.tools', 'button', 'Note'))
      .setTimeout(timeout)
      .click()
    await ada.locator(NOTE).setTimeout(timeout).fill('Milk')
    await grace.waitForFunction(() => document.querySelector('textarea')?.value === 'Milk', { timeout })
    await grace
      .locator(byRole('#notes', 'button', 'Remove note'))
      .setTimeout(timeout)
      .click()
    for (const page of [ada, grace]) await page.waitForSelector(NOTE, { hidden: true, timeout })
  })

  await shows('Ada calls bots and sends them away', async (timeout) => {
    const bots = ada.locator(byRole('.tools', 'button', '50 bots')).setTimeout(timeout)
    await bots.click()
    for (const page of [ada, grace]) await page.waitForSelector('::-p-text(and 50 bots)', { timeout })
    await bots.click()
    for (const page of [ada, grace]) await page.waitForSelector('#people-bots', { hidden: true, timeout })
  })
}

/** A member in the list of people. */
function person(name: string): string {
  return `#people ::-p-text(${name})`
}

/** Moves the mouse to a place of the board, given in parts of its size. */
async function moveTo(page: Page, x: number, y: number): Promise<void> {
  const region = await page.$('#board')
  const board = await region?.boundingBox()
  if (!board) throw new Error('there is no board')
  await page.mouse.move(board.x + x * board.width, board.y + y * board.height, { steps: 10 })
}

/** Waits until what is drawn of cursors begins, from the top and from the left, at a place of the board. */
async function cursorIsAt(page: Page, x: number, y: number, timeout: number): Promise<void> {
  const isDrawn = (x: number, y: number): boolean => {
    const canvas = document.querySelector('#cursors') as HTMLCanvasElement
    const { width, height } = canvas
    const pixels = canvas.getContext('2d')!.getImageData(0, 0, width, height).data
    let [left, top] = [width, height]
    for (let at = 0; at < width * height; at++) {
      if (pixels[at * 4 + 3]! < 128) continue
      left = Math.min(left, at % width)
      top = Math.min(top, Math.floor(at / width))
    }
    // The line around the arrow begins a little before its tip.
    return Math.abs(left - x * width) <= 3 && Math.abs(top - y * height) <= 3
  }
  await page.waitForFunction(isDrawn, { timeout, polling: 50 }, x, y)
}
