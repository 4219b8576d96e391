// How much of each frame the demo page takes with many moving cursors on its canvas, by the browser's own trace. Run
// it by hand, by `npm run bench` with a release build in HITHER_BIN_DIR: nothing in it can fail by being slow.

import { setTimeout as pause } from 'node:timers/promises'
import type { CDPSession, Page } from 'puppeteer-core'
import { inject, test } from 'vitest'
import { connectTo } from './support/browsers.ts'
import { DEMO } from './support/programs.ts'
import { startHither } from './support/server.ts'

const CURSORS = 200
const RUNS = 5
const SECONDS = 8

/** What the trace calls the times in which the page's own code runs; those within another of them are counted once. */
const SCRIPTING = new Set(['FireAnimationFrame', 'FunctionCall', 'RunMicrotasks', 'EventDispatch', 'TimerFire'])

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  /** Microseconds. */
  readonly ts: number
  readonly dur?: number
}

test(`${CURSORS} moving cursors on the demo page`, { timeout: 300_000 }, async ({ onTestFinished }) => {
  const server = await startHither(DEMO)
  onTestFinished(() => server.close())
  const browser = await connectTo('chromium', inject('browsers').chromium)
  onTestFinished(() => browser.disconnect())
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  await page.setViewport({ width: 1440, height: 900 })
  await page.goto(`${server.origin}/?room=bench`)
  await page.waitForSelector('::-p-text(Connected)')
  await callBots(page, CURSORS)
  const devtools = await browser.target().createCDPSession()
  const rows: string[] = []
  for (let run = 0; run < RUNS; run++) rows.push(row(await trace(devtools)))
  console.log(['| frames a second | scripting a frame, p50 ms | p99 ms |', '| --- | --- | --- |', ...rows].join('\n'))
})

/** Has so many bots come to the room, and waits until the page lists them all. */
async function callBots(page: Page, count: number): Promise<void> {
  await page.evaluate(async (count) => {
    const body = JSON.stringify({ room: 'default:bench', count })
    await fetch('/demo/bots', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  }, count)
  await page.waitForSelector(`::-p-text(and ${count} bots)`, { timeout: 60_000 })
}

/** What happened in the page's thread in the next seconds. */
async function trace(devtools: CDPSession): Promise<TraceEvent[]> {
  const events: TraceEvent[] = []
  const collect = ({ value }: { value: object[] }): void => void events.push(...(value as TraceEvent[]))
  devtools.on('Tracing.dataCollected', collect)
  await devtools.send('Tracing.start', { traceConfig: { includedCategories: ['devtools.timeline'] } })
  await pause(SECONDS * 1_000)
  const complete = new Promise((resolve) => devtools.once('Tracing.tracingComplete', resolve))
  await devtools.send('Tracing.end')
  await complete
  devtools.off('Tracing.dataCollected', collect)
  const { pid, tid } = events.find(({ name }) => name === 'FireAnimationFrame')!
  return events.filter((event) => event.pid === pid && event.tid === tid).sort((a, b) => a.ts - b.ts)
}

/** Scripting between the beginnings of two frames, for all frames, as a line of a table. */
function row(events: readonly TraceEvent[]): string {
  const scripting: number[] = []
  let first = NaN
  let last = NaN
  let end = -Infinity
  for (const { name, ph, ts, dur = 0 } of events) {
    if (ph !== 'X' || !SCRIPTING.has(name)) continue
    if (name === 'FireAnimationFrame') {
      first = first >= 0 ? first : ts
      last = ts
      scripting.push(0)
    }
    if (ts >= end && scripting.length) scripting[scripting.length - 1]! += dur / 1_000
    end = Math.max(end, ts + dur)
  }
  const frames = scripting.slice(0, -1).sort((a, b) => a - b)
  const share = (part: number): string => frames[Math.floor(frames.length * part)]!.toFixed(2)
  return `| ${((frames.length * 1e6) / (last - first)).toFixed(1)} | ${share(0.5)} | ${share(0.99)} |`
}
