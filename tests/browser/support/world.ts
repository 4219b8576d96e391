// The world of a scenario: a server, guests who come to it, and what is expected of them.

import { chromium, type Page } from 'playwright-core'
import type { Knowledge } from '../page/knowledge.ts'
import { type BrowserGuest, enterFromBrowser, type Guest } from './guest.ts'
import { enterNatively } from './native.ts'
import type { Server } from './server.ts'

/** An expectation that was not met in time. */
export class Unmet extends Error {
  override readonly name = 'Unmet'
}

/** Waits until what a guest knows is so; rejects with `Unmet` if that takes longer than `ms`, by default 5 s. */
export type Sees = (guest: Guest, what: string, is: (knows: Knowledge) => boolean, ms?: number) => Promise<void>

/** What a scenario plays in. */
export interface World {
  readonly server: Server
  /** A guest in a page. `origin` is where the page comes from, the server by default; another has to be told of it. */
  page(name: string, options?: { readonly room?: string; readonly origin?: string }): Promise<BrowserGuest>
  /** A guest in a Worker. */
  worker(name: string): Promise<BrowserGuest>
  /** A guest that is a native client over raw QUIC. */
  native(name: string): Promise<Guest>
  /** A page that no guest is in. */
  open(path: string): Promise<Page>
  /** Expects a guest to see something. */
  readonly sees: Sees
  /** Expects what takes more than one look; `check` rejects with `Unmet` if it is not met within `ms`. */
  expects(what: string, check: (sees: Sees, ms: number) => Promise<void>): Promise<void>
}

/** A world with what its scenario does not see. */
export interface Stage {
  readonly world: World
  /** What pages have complained of: errors that nobody caught, or that were written to the console. */
  readonly complaints: string[]
  /** Ends all that was begun. */
  close(): Promise<void>
}

const ROOM = 'default:lobby'
const DEADLINE_MS = 5_000

/**
 * Sets up a world around a server, in the browser at `endpoint`. No deadline is longer than `msMax`. `take` gets each
 * expectation, which has to hold, or must not.
 */
export async function setStage(
  server: Server,
  endpoint: string,
  msMax: number,
  take: (what: string, check: () => Promise<void>) => Promise<void>,
): Promise<Stage> {
  const browser = await chromium.connect(endpoint)
  const complaints: string[] = []
  // A context for each page has a window for each: a browser draws no page that is behind another.
  const newPage = async (): Promise<Page> => {
    const page = await browser.newPage()
    listen(page, complaints)
    return page
  }
  const natives: Guest[] = []

  const sees: Sees = async (guest, what, is, ms = DEADLINE_MS) => {
    const { name, kind, knows } = guest
    const deadline = Math.min(ms, msMax)
    if (await knows.until(is, deadline)) return
    throw new Unmet(`${name} (${kind}) does not see ${what} within ${deadline} ms, but:\n${show(knows.value)}`)
  }
  const enter = (kind: 'page' | 'worker', name: string, room = ROOM, origin?: string): Promise<BrowserGuest> =>
    enterFromBrowser(newPage, origin ?? server.origin, kind, { name, room, ...(origin && { server: server.endpoint }) })
  const expects: World['expects'] = (what, check) => take(what, () => check(sees, Math.min(DEADLINE_MS, msMax)))
  const world: World = {
    server,
    page: (name, { room, origin } = {}) => enter('page', name, room, origin),
    worker: (name) => enter('worker', name),
    async native(name) {
      const guest = enterNatively(server.origin, name, ROOM)
      natives.push(guest)
      return guest
    },
    async open(path) {
      const page = await newPage()
      await page.goto(server.origin + path)
      return page
    },
    sees: (guest, what, is, ms) => take(`${guest.name} sees ${what}`, () => sees(guest, what, is, ms)),
    expects,
  }
  const close = async (): Promise<void> => {
    await Promise.all(natives.map((guest) => guest.vanish()))
    await browser.close()
    await server.close()
  }
  return { world, complaints, close }
}

function listen(page: Page, complaints: string[]): void {
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.stack ?? error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()} (${message.location().url})`)
  })
}

function show(knows: Knowledge): string {
  return JSON.stringify(knows, undefined, 2)
}
