// The world of a scenario: a server, guests who come to it, and what is expected of them.

import type { Browser, BrowserContext, HTTPRequest, Page } from 'puppeteer-core'
import type { Knowledge } from '../page/knowledge.ts'
import { type BrowserGuest, enterFromBrowser, type Guest } from './guest.ts'
import { enterNatively } from './native.ts'
import type { Discovery, Server } from './server.ts'

/** An expectation that was not met in time. */
export class Unmet extends Error {
  override readonly name = 'Unmet'
}

/** Waits until what a guest knows is so; rejects with `Unmet` if that takes longer than `ms`, by default 5 s. */
export type Sees = (guest: Guest, what: string, is: (knows: Knowledge) => boolean, ms?: number) => Promise<void>

/** What a page is, beside its name. */
export interface PageOptions {
  readonly room?: string
  readonly origin?: string
  /** What the page is told of where the server is, instead of what the server says of itself. */
  readonly rumour?: (discovery: Discovery) => Discovery
}

/** What a scenario plays in. */
export interface World {
  readonly server: Server
  /** A guest in a page. `origin` is where the page comes from, the server by default; another has to be told of it. */
  page(name: string, options?: PageOptions): Promise<BrowserGuest>
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
 * Sets up a world around a server, in a browser. No deadline is longer than `msMax`. `take` gets each expectation,
 * which has to hold, or must not.
 */
export function setStage(
  server: Server,
  browser: Browser,
  msMax: number,
  take: (what: string, check: () => Promise<void>) => Promise<void>,
): Stage {
  const complaints: string[] = []
  const contexts: BrowserContext[] = []
  // Each page is of a user of its own, and in a window of its own: a page that is behind another one is hidden.
  const newPage = async (): Promise<Page> => {
    const context = await browser.createBrowserContext()
    contexts.push(context)
    const page = await context.newPage({ type: 'window' })
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
  const enter = (
    kind: 'page' | 'worker',
    name: string,
    { room = ROOM, origin, rumour }: PageOptions = {},
  ): Promise<BrowserGuest> => {
    const open = async (): Promise<Page> => {
      const page = await newPage()
      if (rumour) await spread(page, rumour)
      return page
    }
    const invitation = { name, room, ...(origin && { server: server.endpoint }) }
    return enterFromBrowser(open, origin ?? server.origin, kind, invitation)
  }
  const expects: World['expects'] = (what, check) => take(what, () => check(sees, Math.min(DEADLINE_MS, msMax)))
  const world: World = {
    server,
    page: (name, options) => enter('page', name, options),
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
    await Promise.all(contexts.map((context) => context.close()))
    await browser.disconnect()
    await server.close()
  }
  return { world, complaints, close }
}

/** Has the page hear something else of where the server is. */
async function spread(page: Page, rumour: (discovery: Discovery) => Discovery): Promise<void> {
  const answer = async (request: HTTPRequest): Promise<void> => {
    if (!request.url().endsWith('/.well-known/hither')) return request.continue()
    // A server that is gone says nothing.
    const response = await fetch(request.url()).catch(() => undefined)
    if (!response) return request.abort()
    const body = JSON.stringify(rumour((await response.json()) as Discovery))
    return request.respond({ contentType: 'application/json', body })
  }
  await page.setRequestInterception(true)
  // Who asks at the end of its page does not hear the answer.
  page.on('request', (request) => void answer(request).catch(() => {}))
}

function listen(page: Page, complaints: string[]): void {
  page.on('pageerror', (error) => complaints.push(`uncaught: ${(error instanceof Error && error.stack) || error}`))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()} (${message.location().url})`)
  })
}

function show(knows: Knowledge): string {
  return JSON.stringify(knows, undefined, 2)
}
