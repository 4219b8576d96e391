// The guests of a test: what it can have them do, whatever they run in. Those in a browser are here, too.

import type { Page } from 'puppeteer-core'
import { type Command, type Invitation, type Knowledge, nothing } from '../page/knowledge.ts'
import { Watched } from './watched.ts'

/** A client in a room. */
export interface Guest {
  /** The name of its user. */
  readonly name: string
  /** What it runs in. */
  readonly kind: 'page' | 'worker' | 'native'
  /** What it knows. */
  readonly knows: Watched<Knowledge>
  /** Has it do something. Of a guest in a page it rejects with what the client throws. */
  order(command: Command): Promise<void>
  /** Takes it away without a word. */
  vanish(): Promise<void>
}

/** A guest in a browser. */
export interface BrowserGuest extends Guest {
  /** The page that it is in. */
  readonly page: Page
  /** Loads the page anew, and lets the guest in again. */
  reload(): Promise<void>
}

/** Lets a guest in, in a page that comes from `origin`, or in a Worker of that page. */
export async function enterFromBrowser(
  newPage: () => Promise<Page>,
  origin: string,
  kind: 'page' | 'worker',
  invitation: Invitation,
): Promise<BrowserGuest> {
  const knows = new Watched(nothing())
  const page = await newPage()
  await page.exposeFunction('tell', (knowledge: Knowledge) => (knows.value = knowledge))
  await page.goto(origin)
  const enter = (): Promise<void> =>
    page.evaluate(([invitation, kind]) => admit(invitation, kind), [invitation, kind] as const)
  await enter()
  return {
    name: invitation.name,
    kind,
    knows,
    page,
    order: (command) => page.evaluate((command) => order(command), command),
    async reload() {
      await page.reload()
      await enter()
    },
    vanish: () => page.close(),
  }
}
