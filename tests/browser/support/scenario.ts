// A scenario is a test that is run twice: against a real server, where all that it expects has to hold, and against a
// port where nobody is, where nothing of it may. So no expectation stands that would hold by itself.

import { expect, inject, test } from 'vitest'
import { startChromium } from './chromium.ts'
import { startHither, startNothing } from './server.ts'
import { setStage, Unmet, type World } from './world.ts'

/** What a scenario needs beside itself. */
export interface Options {
  /** The folder of the pages; by default that of the tests' page. */
  readonly folder?: string
  /** What the engine of a browser of its own is told; by default the tests' one browser does. */
  readonly jsFlags?: string
  /** What pages may complain of, as when a server is killed under them. */
  readonly complaints?: RegExp
}

/** What browsers say of a socket that was given up, as the slower transport is: no fault of anybody. */
const GIVEN_UP = /WebSocket is closed before the connection is established/

/** No expectation may take longer, in milliseconds, whatever its own deadline is. */
const LIVE_MS_MAX = 15_000
const DEAD_MS_MAX = 60

/** Registers both tests. */
export function scenario(name: string, play: (world: World) => Promise<void>, options: Options = {}): void {
  const folder = (): string => options.folder ?? inject('page')

  test(name, async ({ onTestFailed, onTestFinished }) => {
    const own = options.jsFlags === undefined ? undefined : await startChromium(options.jsFlags)
    onTestFinished(() => own?.close())
    const server = await startHither(folder())
    const endpoint = own?.wsEndpoint() ?? inject('browser')
    const stage = await setStage(server, endpoint, LIVE_MS_MAX, (_, check) => check())
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
    const stage = await setStage(server, inject('browser'), DEAD_MS_MAX, async (what, check) => {
      const error: unknown = await check().catch((error: unknown) => error)
      expect(error, `what was to happen to '${what}'`).toBeInstanceOf(Unmet)
      unmet++
    })
    onTestFinished(stage.close)
    await play(stage.world)
    expect(unmet).toBeGreaterThan(0)
  })
}
