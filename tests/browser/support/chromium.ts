// The real browser, started so that it does nothing of its own accord.

import { type BrowserServer, chromium } from 'playwright-core'
import { CHROMIUM } from './programs.ts'

/** Starts a Chromium; `jsFlags` are for its engine. */
export function startChromium(jsFlags?: string): Promise<BrowserServer> {
  return chromium.launchServer({
    executablePath: CHROMIUM,
    // Playwright's own headless mode asks for the headless shell; these tests want all of Chromium.
    headless: false,
    args: [
      ...(process.env['HEADED'] ? [] : ['--headless=new']),
      ...(jsFlags ? [`--js-flags=${jsFlags}`] : []),
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
