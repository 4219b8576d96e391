// The notes of the demo page as two people use them: dragged, undone, removed, and changed without a connection.

import type { ElementHandle, Page } from 'puppeteer-core'
import { DEMO } from './support/programs.ts'
import { scenario } from './support/scenario.ts'
import { byRole, showsIn } from './support/shows.ts'
import { Unmet, type World } from './support/world.ts'

/** Where things are in these tests, in parts of the board. */
interface Place {
  readonly x: number
  readonly y: number
}

const HERE: Place = { x: 0.3, y: 0.35 }
const THERE: Place = { x: 0.6, y: 0.7 }

/** Pointer events of a drag, and the milliseconds from one to the next. */
const DRAG_STEPS = 60
const DRAG_EVERY = 8

const options = { folder: DEMO }

scenario(
  'a note that is dragged moves on both pages, by few edits that are one step for undo and redo',
  async (world) => {
    const [ada, grace] = await two(world)
    const shows = showsIn(world)
    await shows('a note of Ada’s', (ms) => putNote(ada, HERE, 'Milk', ms))
    await shows('Grace sees it there', (ms) => noteIsAt(grace, 'Milk', HERE, ms))
    await world.expects('a drag is few edits', async (_, ms) => {
      await met(noteIsAt(ada, 'Milk', HERE, ms))
      const before = await world.server.metric('hither_edits_total')
      const start = performance.now()
      await drag(ada, 'Milk', THERE, ms)
      await met(noteIsAt(grace, 'Milk', THERE, ms))
      const [edits, seconds] = [await editsSince(world, before), (performance.now() - start) / 1_000]
      // One at the beginning and one at the end, and twenty a second in between.
      if (!(edits >= 2 && edits <= 3 + 20 * seconds)) throw new Unmet(`${edits} edits in ${seconds} s`)
    })
    for (const [keys, place] of [
      [['Control', 'z'], HERE],
      [['Control', 'Shift', 'z'], THERE],
    ] as const) {
      await shows(`${keys.join('+')} brings it back at once`, async (ms) => {
        await noteIsAt(ada, 'Milk', place === HERE ? THERE : HERE, ms)
        await press(ada, keys)
        for (const page of [ada, grace]) await noteIsAt(page, 'Milk', place, ms)
      })
    }
  },
  options,
)

scenario(
  'a note is coloured and removed, which Grace reads, and both come back by the button',
  async (world) => {
    const [ada, grace] = await two(world)
    const shows = showsIn(world)
    const undo = (ms: number): Promise<void> =>
      ada
        .locator(byRole('.edits', 'button', 'Undo'))
        .setTimeout(ms)
        .click()
    await shows('a note of Ada’s', (ms) => putNote(ada, HERE, 'Milk', ms))
    await shows('Ada makes it blue', async (ms) => {
      await noteIsAt(grace, 'Milk', HERE, ms)
      await ada.keyboard.press('Escape')
      await ada
        .locator(byRole('#notes', 'button', 'Note’s colour'))
        .setTimeout(ms)
        .click()
      await ada
        .locator(byRole('#notes', 'button', 'Blue'))
        .setTimeout(ms)
        .click()
      await hueIs(grace, 215, true, ms)
    })
    await shows('Grace reads who did that', async (ms) => {
      await grace.locator('#history summary').setTimeout(ms).click()
      const name = await ada.$eval('#my-name', (input) => (input as HTMLInputElement).value)
      await grace.waitForSelector(`#history-list ::-p-text(${name} coloured “Milk”)`, { timeout: ms })
    })
    await shows('Ada removes it, and the caret is somewhere', async (ms) => {
      await noteIsAt(ada, 'Milk', HERE, ms)
      await ada.focus('.note')
      await ada.keyboard.press('Delete')
      for (const page of [ada, grace]) await page.waitForSelector('.note', { hidden: true, timeout: ms })
      await ada.waitForFunction(() => document.activeElement !== document.body, { timeout: ms })
    })
    await shows('it comes back as it was', async (ms) => {
      await undo(ms)
      for (const page of [ada, grace]) await noteIsAt(page, 'Milk', HERE, ms)
      await hueIs(grace, 215, true, ms)
    })
    await shows('and then in the colour before', async (ms) => {
      await undo(ms)
      await hueIs(grace, 215, false, ms)
    })
  },
  options,
)

scenario(
  'what Ada does offline shows as not saved, and arrives when she is back',
  async (world) => {
    const [ada, grace] = await two(world)
    const shows = showsIn(world)
    await shows('a note of Ada’s', (ms) => putNote(ada, HERE, 'Milk', ms))
    await shows('Grace sees it', (ms) => noteIsAt(grace, 'Milk', HERE, ms))
    await shows('Ada goes offline', (ms) => goOffline(ada, ms))
    await world.expects('she drags it, which is one edit that waits', async (_, ms) => {
      await met(drag(ada, 'Milk', THERE, ms))
      await met(ada.waitForSelector('#saved ::-p-text(1 waiting)', { timeout: ms }))
      await met(ada.waitForSelector('.note ::-p-text(not saved yet)', { visible: true, timeout: ms }))
      await met(noteIsAt(ada, 'Milk', THERE, ms))
      await met(noteIsAt(grace, 'Milk', HERE, ms))
    })
    await shows('she writes another, at once', async (ms) => {
      await putNote(ada, HERE, 'Bread', ms)
      await noteIsAt(ada, 'Bread', HERE, ms)
    })
    await shows('both arrive, and are saved', async (ms) => {
      await ada
        .locator(byRole('.switch', 'switch', 'Work offline'))
        .setTimeout(ms)
        .click()
      await noteIsAt(grace, 'Milk', THERE, ms)
      await noteIsAt(grace, 'Bread', HERE, ms)
      await ada.waitForSelector('#saved ::-p-text(Saved)', { timeout: ms })
      await ada.waitForFunction(() => !document.querySelector('.note.unsaved'), { timeout: ms })
    })
  },
  options,
)

scenario(
  'what waits when the page is loaded anew arrives all the same',
  async (world) => {
    const [ada, grace] = await two(world)
    const shows = showsIn(world)
    await shows('a note of Ada’s', (ms) => putNote(ada, HERE, 'Milk', ms))
    await shows('Grace sees it', (ms) => noteIsAt(grace, 'Milk', HERE, ms))
    await shows('Ada goes offline', (ms) => goOffline(ada, ms))
    await world.expects('she drags it, and Grace hears of it by the page that comes after', async (_, ms) => {
      await met(drag(ada, 'Milk', THERE, ms))
      await met(ada.waitForSelector('#saved ::-p-text(1 waiting)', { timeout: ms }))
      await met(noteIsAt(grace, 'Milk', HERE, ms))
      await ada.reload()
      for (const page of [grace, ada]) await met(noteIsAt(page, 'Milk', THERE, ms))
    })
  },
  options,
)

async function two(world: World): Promise<[Page, Page]> {
  return Promise.all([world.open('/?room=tests'), world.open('/?room=tests')])
}

/** What a page does not show in time is not met. */
async function met(look: Promise<unknown>): Promise<void> {
  await look.catch((error: unknown) => {
    throw error instanceof Error && error.name === 'TimeoutError' ? new Unmet(error.message) : error
  })
}

async function goOffline(page: Page, ms: number): Promise<void> {
  await page.waitForSelector('[data-status="connected"]', { timeout: ms })
  await page
    .locator(byRole('.switch', 'switch', 'Work offline'))
    .setTimeout(ms)
    .click()
  await page.waitForSelector('#status ::-p-text(Offline)', { timeout: ms })
}

/** Puts a note by a double click, and writes on it. */
async function putNote(page: Page, place: Place, text: string, ms: number): Promise<void> {
  await page.waitForSelector('#add-note:not(:disabled)', { timeout: ms })
  const { x, y } = await onBoard(page, place)
  await page.mouse.click(x, y, { count: 2 })
  await page.waitForFunction(() => document.activeElement?.matches('.note-text'), { timeout: ms })
  await page.keyboard.type(text)
  await page.waitForFunction(
    (text) => [...document.querySelectorAll('textarea')].some(({ value }) => value === text),
    { timeout: ms },
    text,
  )
}

/** Drags a note by its text, as fast as pointers tell of it. */
async function drag(page: Page, text: string, to: Place, ms: number): Promise<void> {
  const element = (await page.waitForFunction(
    (text) => [...document.querySelectorAll('.note')].find((note) => note.querySelector('textarea')?.value === text),
    { timeout: ms },
    text,
  )) as ElementHandle
  const box = (await element.boundingBox())!
  const [from, end] = [{ x: box.x + box.width / 2, y: box.y + box.height / 2 }, await onBoard(page, to)]
  // A note that is being written on is dragged by its edge alone.
  await page.keyboard.press('Escape')
  await page.mouse.move(from.x, from.y)
  await page.mouse.down()
  for (let step = 1; step <= DRAG_STEPS; step++) {
    const part = step / DRAG_STEPS
    await page.mouse.move(from.x + part * (end.x - from.x), from.y + part * (end.y - from.y))
    await new Promise((resolve) => setTimeout(resolve, DRAG_EVERY))
  }
  await page.mouse.up()
}

async function press(page: Page, keys: readonly ('Control' | 'Shift' | 'z')[]): Promise<void> {
  for (const key of keys) await page.keyboard.down(key)
  for (const key of keys.toReversed()) await page.keyboard.up(key)
}

async function onBoard(page: Page, { x, y }: Place): Promise<Place> {
  const board = await (await page.$('#board'))?.boundingBox()
  if (!board) throw new Error('there is no board')
  return { x: board.x + x * board.width, y: board.y + y * board.height }
}

/** Waits until a note's middle rests at a place. */
async function noteIsAt(page: Page, text: string, { x, y }: Place, timeout: number): Promise<void> {
  const isThere = (text: string, x: number, y: number): boolean => {
    const notes = [...document.querySelectorAll('.note')]
    const note = notes.find((note) => note.querySelector('textarea')?.value === text)?.getBoundingClientRect()
    const board = document.querySelector('#board')!.getBoundingClientRect()
    if (!note) return false
    const [left, top] = [note.x + note.width / 2 - board.x, note.y + note.height / 2 - board.y]
    return Math.hypot(left - x * board.width, top - y * board.height) < 3
  }
  await page.waitForFunction(isThere, { timeout, polling: 20 }, text, x, y)
}

/** Waits until the note has a hue, or another. */
async function hueIs(page: Page, hue: number, isSo: boolean, timeout: number): Promise<void> {
  const has = (hue: string, isSo: boolean): boolean => {
    const note = document.querySelector<HTMLElement>('.note')
    return !!note && (note.style.getPropertyValue('--hue') === hue) === isSo
  }
  await page.waitForFunction(has, { timeout, polling: 20 }, `${hue}`, isSo)
}

/** How many edits the server has taken since there were so many. */
async function editsSince({ server }: World, before: number): Promise<number> {
  return (await server.metric('hither_edits_total')) - before
}
