// The real browsers, started so that they do nothing of their own accord, and driven alike: Chromium by its devtools,
// Firefox by WebDriver BiDi.

import puppeteer, { type Browser, type LaunchOptions } from 'puppeteer-core'
import { CHROMIUM, FIREFOX } from './programs.ts'

/** The browsers that tests run in. */
export const BROWSERS = ['chromium', 'firefox'] as const
export type BrowserName = (typeof BROWSERS)[number]

/** A browser that runs. */
export interface Started {
  /** Where it is driven from. */
  readonly endpoint: string
  close(): Promise<void>
}

/** Starts a browser; `jsFlags` are for Chromium's engine. */
export async function startBrowser(name: BrowserName, jsFlags?: string): Promise<Started> {
  const options = name === 'chromium' ? chromium(jsFlags) : firefox()
  const browser = await puppeteer.launch({ ...options, headless: !process.env['HEADED'] })
  const endpoint = browser.wsEndpoint()
  // Firefox lets itself be driven from one place at a time.
  await browser.disconnect()
  return {
    endpoint,
    async close() {
      await (await connectTo(name, endpoint)).close()
    },
  }
}

/** Takes a browser's reins. */
export function connectTo(name: BrowserName, endpoint: string): Promise<Browser> {
  const protocol = name === 'chromium' ? 'cdp' : 'webDriverBiDi'
  return puppeteer.connect({ browserWSEndpoint: endpoint, protocol, defaultViewport: null })
}

function chromium(jsFlags: string | undefined): LaunchOptions {
  return {
    executablePath: CHROMIUM,
    args: [...(jsFlags ? [`--js-flags=${jsFlags}`] : []), '--no-sandbox', '--disable-gpu', '--window-size=1280,720'],
    // A hidden page is to have the slow timers that it has with everybody.
    ignoreDefaultArgs: [
      '--disable-background-timer-throttling',
      '--disable-backgrounding-occluded-windows',
      '--disable-renderer-backgrounding',
    ],
  }
}

function firefox(): LaunchOptions {
  return { browser: 'firefox', executablePath: FIREFOX, args: ['--width=1280', '--height=720'] }
}
