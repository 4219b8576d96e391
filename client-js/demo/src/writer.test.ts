// The writer: few patches, none lost, the last one last.

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createWriter } from './writer.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

interface Place {
  x: number
  y: number
}

it('sends the first patch at once, and all that follow soon as one', async () => {
  const sent: Partial<Place>[] = []
  const writer = createWriter<Partial<Place>>(async (patch) => sent.push(patch))
  writer.write({ x: 1 })
  writer.write({ x: 2 })
  writer.write({ y: 3 })
  writer.write({ x: 4 })
  expect(sent).toEqual([{ x: 1 }])
  await vi.runAllTimersAsync()
  expect(sent).toEqual([{ x: 1 }, { x: 4, y: 3 }])
})

it('is busy until the last patch is answered', async () => {
  let answer = (): void => {}
  const writer = createWriter<Partial<Place>>(() => new Promise<void>((resolve) => (answer = resolve)))
  writer.write({ x: 1 })
  await vi.runAllTimersAsync()
  expect(writer.isBusy).toBe(true)
  answer()
  await vi.runAllTimersAsync()
  expect(writer.isBusy).toBe(false)
})

it('tells that a patch was refused, once it is free, and goes on', async () => {
  const refused: boolean[] = []
  const sent: number[] = []
  const writer = createWriter<Place>(
    async ({ x }) => {
      sent.push(x)
      if (x === 1) throw new Error('no')
    },
    () => refused.push(writer.isBusy),
  )
  writer.write({ x: 1, y: 0 })
  await vi.runAllTimersAsync()
  expect(refused).toEqual([false])
  writer.write({ x: 2, y: 0 })
  await vi.runAllTimersAsync()
  expect([sent, refused, writer.isBusy]).toEqual([[1, 2], [false], false])
})
