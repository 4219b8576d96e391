// The client as a whole, by the scripts that the other client follows, too. Their names have the rules that they prove.

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Run, type Script } from './testing/conformance.ts'
import { stopTime } from './testing/time.ts'
import { vectors } from './testing/vectors.ts'

const { scripts } = vectors<{ scripts: Script[] }>('conformance.json')
let page: EventTarget

stopTime()

beforeEach(() => {
  page = new EventTarget()
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

it.each(scripts)('$name', async (script) => {
  const run = new Run(script, page)
  for (const [index, step] of script.steps.entries()) {
    const at = `${index}: ${JSON.stringify(step)}`
    const { is, wanted } = await run.step(step)
    expect({ at, is }).toEqual({ at, is: wanted })
  }
  expect(run.rest).toEqual([])
})
