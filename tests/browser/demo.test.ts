// The demo page, as two people use it: by names, the mouse, notes and the button for bots.

import type { Locator, Page } from 'playwright-core'
import { DEMO } from './support/programs.ts'
import { scenario } from './support/scenario.ts'
import { showsIn } from './support/shows.ts'
import type { World } from './support/world.ts'

scenario('two people meet on the demo page, point, write a note, and call bots', demo, { folder: DEMO })

async function demo(world: World): Promise<void> {
  const [ada, grace] = await Promise.all([world.open('/?room=tests'), world.open('/?room=tests')])
  const shows = showsIn(world)

  for (const [page, name] of [
    [ada, 'Ada'],
    [grace, 'Grace'],
  ] as const) {
    await page.getByRole('textbox', { name: 'Your name' }).fill(name)
  }
  await shows('Ada lists Grace', (timeout) => person(ada, 'Grace').waitFor({ timeout }))
  await shows('Grace lists Ada', (timeout) => person(grace, 'Ada').waitFor({ timeout }))

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
    await ada.getByRole('button', { name: 'Note', exact: true }).click({ timeout })
    await note(ada).fill('Milk', { timeout })
    await note(grace).waitFor({ timeout })
    await grace.waitForFunction((text) => document.querySelector('textarea')?.value === text, 'Milk', { timeout })
    await grace.getByRole('button', { name: 'Remove note' }).click({ timeout })
    for (const page of [ada, grace]) await note(page).waitFor({ state: 'detached', timeout })
  })

  await shows('Ada calls bots and sends them away', async (timeout) => {
    await ada.getByRole('button', { name: '50 bots', pressed: false }).click({ timeout })
    for (const page of [ada, grace]) await page.getByText('and 50 bots').waitFor({ timeout })
    await ada.getByRole('button', { name: '50 bots', pressed: true }).click({ timeout })
    for (const page of [ada, grace]) await page.getByText(/and \d+ bots/).waitFor({ state: 'hidden', timeout })
  })
}

/** A member in the list of people. */
function person(page: Page, name: string): Locator {
  const panel = page.getByRole('complementary', { name: 'People and wire' })
  return panel.getByRole('listitem').filter({ hasText: name })
}

/** The only note. */
function note(page: Page): Locator {
  return page.getByRole('textbox', { name: 'Note', exact: true })
}

/** Moves the mouse to a place of the board, given in parts of its size. */
async function moveTo(page: Page, x: number, y: number): Promise<void> {
  const board = await page.getByRole('region', { name: 'Board' }).boundingBox()
  if (!board) throw new Error('there is no board')
  await page.mouse.move(board.x + x * board.width, board.y + y * board.height, { steps: 10 })
}

/** Waits until what is drawn of cursors begins, from the top and from the left, at a place of the board. */
async function cursorIsAt(page: Page, x: number, y: number, timeout: number): Promise<void> {
  const isDrawn = ([x, y]: readonly [number, number]): boolean => {
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
  await page.waitForFunction(isDrawn, [x, y] as const, { timeout, polling: 50 })
}
