// What a page holds on to after it has left: nothing that grows from stay to stay.

import type { CDPSession } from 'puppeteer-core'
import type { BrowserGuest, Guest } from './support/guest.ts'
import { scenario } from './support/scenario.ts'
import { type Sees, Unmet, type World } from './support/world.ts'

const CYCLES = 10
/** The engine keeps what it compiles of code that runs often, some 200 kB in all: so here it compiles nothing. */
const JS_FLAGS = '--jitless --no-lazy-feedback-allocation'
/** One kept connection a stay is 7 %. */
const GROWTH_MAX = 0.02
/** The last one may still be closing. */
const CONNECTIONS_MAX = 2

scenario('after ten more times of entering, moving and leaving, the heap is what it was after the first', heap, {
  // Its devtools say what is reachable.
  browsers: ['chromium'],
  jsFlags: JS_FLAGS,
})

async function heap(world: World): Promise<void> {
  const [ada, grace] = await Promise.all([world.page('Ada'), world.page('Grace')])
  const devtools = await ada.page.createCDPSession()
  await world.expects('the heap stays as it is', async (sees) => {
    const sizes: number[] = []
    for (let cycle = 0; cycle < 1 + CYCLES; cycle++) {
      if (cycle > 0) await ada.order({ enter: true })
      await stay(ada, grace, cycle, sees)
      // One takes some 10 kB, too little to be seen in the size.
      const connections = await count(devtools, 'WebTransport')
      if (connections > CONNECTIONS_MAX) throw new Unmet(`${connections} connections are held after ${cycle + 1} stays`)
      sizes.push(await heapBytes(devtools))
    }
    const growth = sizes.at(-1)! / sizes[0]! - 1
    if (growth > GROWTH_MAX) {
      throw new Unmet(`the heap has grown by ${Math.round(growth * 100)} %: ${sizes.join(', ')} bytes, stay by stay`)
    }
  })
}

/** From when Ada has asked for the room until she is gone, with motion both ways. */
async function stay(ada: BrowserGuest, grace: Guest, number: number, sees: Sees): Promise<void> {
  await sees(grace, 'Ada', ({ others }) => others['Ada'] !== undefined)
  await sees(ada, 'Grace', ({ others }) => others['Grace'] !== undefined)
  for (let x = 0; x <= 8; x++) {
    for (const guest of [ada, grace]) await guest.order({ motion: [x, number] })
  }
  await sees(ada, 'Grace at rest', ({ cursors }) => cursors['Grace']?.join() === `8,${number}`)
  await sees(grace, 'Ada at rest', ({ cursors }) => cursors['Ada']?.join() === `8,${number}`)
  await ada.order({ leave: true })
  await sees(grace, 'Ada gone', ({ others }) => others['Ada'] === undefined)
}

/** How many objects of a class the page can still reach. */
async function count(devtools: CDPSession, className: string): Promise<number> {
  const { result } = await devtools.send('Runtime.evaluate', { expression: `${className}.prototype` })
  const { objects } = await devtools.send('Runtime.queryObjects', { prototypeObjectId: result.objectId! })
  const objectId = objects.objectId!
  const functionDeclaration = 'function () { return this.length }'
  const length = await devtools.send('Runtime.callFunctionOn', { objectId, functionDeclaration })
  // The answer itself would hold them.
  await devtools.send('Runtime.releaseObject', { objectId })
  return length.result.value as number
}

/** The bytes that are still in use after everything else was collected. */
async function heapBytes(devtools: CDPSession): Promise<number> {
  // What is freed may free more in turn.
  for (let times = 0; times < 3; times++) await devtools.send('HeapProfiler.collectGarbage')
  const { usedSize, backingStorageSize } = await devtools.send('Runtime.getHeapUsage')
  return usedSize + backingStorageSize
}
