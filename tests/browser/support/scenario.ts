// A scenario is a test that is run in each browser against a real server, where all that it expects has to hold, and
// once against a port where nobody is, where nothing of it may. So no expectation stands that would hold by itself.

import { expect, inject, test } from 'vitest'
import { type BrowserName, BROWSERS, connectTo, startBrowser } from './browsers.ts'
import { startHither, startNothing } from './server.ts'
import { setStage, Unmet, type World } from './world.ts'

/** What a scenario needs beside itself. */
export interface Options {
  /** The folder of the pages; by default that of the tests' page. */
  readonly folder?: string
  /** What it is run in; by default in each. */
  readonly browsers?: readonly [BrowserName, ...BrowserName[]]
  /** What the engine of a Chromium of its own is told; by default the tests' one browser does. */
  readonly jsFlags?: string
  /** What pages may complain of, as when a server is killed under them. */
  readonly complaints?: RegExp
}

/** What browsers say of a socket that was given up, as the slower transport is: no fault of anybody. */
const GIVEN_UP = /WebSocket is closed before the connection is established/

/** No expectation may take longer, in milliseconds, whatever its own deadline is. */
const LIVE_MS_MAX = 15_000
const DEAD_MS_MAX = 60

/** Registers the tests. */
export function scenario(name: string, play: (world: World) => Promise<void>, options: Options = {}): void {
  const folder = (): string => options.folder ?? inject('page')
  const browsers = options.browsers ?? BROWSERS

  test.for(browsers)(`${name} (%s)`, async (browserName, { onTestFailed, onTestFinished }) => {
    const own = options.jsFlags === undefined ? undefined : await startBrowser(browserName, options.jsFlags)
    onTestFinished(() => own?.close())
    const server = await startHither(folder())
    const browser = await connectTo(browserName, own?.endpoint ?? inject('browsers')[browserName])
    const stage = setStage(server, browser, LIVE_MS_MAX, (_, check) => check())
    onTestFailed(() => console.error(`The server of the failed test '${name}':\n${server.log()}`))
    onTestFinished(stage.close)
    try {
      await play(stage.world)
    } finally {
      const unexpected = stage.complaints.filter(
        (complaint) => !options.complaints?.test(complaint) && !GIVEN_UP.test(complaint),
      )
      expect.soft([...new Set(unexpected)], 'what pages complain of').toEqual([])
    }
  })

  test(`${name}: nothing of this holds against a dead port`, async ({ onTestFinished }) => {
    let unmet = 0
    const server = await startNothing(folder())
    // What holds by itself does so in any browser.
    const browser = await connectTo(browsers[0], inject('browsers')[browsers[0]])
    const stage = setStage(server, browser, DEAD_MS_MAX, async (what, check) => {
      const error: unknown = await check().catch((error: unknown) => error)
      expect(error, `what was to happen to '${what}'`).toBeInstanceOf(Unmet)
      unmet++
    })
    onTestFinished(stage.close)
    await play(stage.world)
    expect(unmet).toBeGreaterThan(0)
  })
}
