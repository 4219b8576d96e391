import { expect, it } from 'vitest'
import type { Op } from '../wire/edits.ts'
import { type Step, Undo, type Way } from './undo.ts'

const op = (record: string): Op => ({ kind: 3, record, fields: {} })
const step = (number: number): Step => ({ number, inverse: [op(`${number}`)] })

/** Takes the last group, as if nothing took it back; the records that it is about. */
function take(undo: Undo, way: Way): string[] | undefined {
  const ops = undo.next(way)
  undo.turn(way, [])
  return ops?.map(({ record }) => record)
}

it('takes groups back whole and from behind', () => {
  const undo = new Undo()
  undo.remember(step(1))
  undo.beginGroup()
  undo.remember(step(2))
  undo.beginGroup()
  undo.remember(step(3))
  undo.endGroup()
  undo.remember(step(4))
  undo.endGroup()
  undo.remember(step(5))
  expect([take(undo, 'undo'), take(undo, 'undo'), take(undo, 'undo')]).toEqual([['5'], ['4', '3', '2'], ['1']])
  expect([undo.next('undo'), undo.can('undo')]).toEqual([undefined, false])
})

it('makes what was undone again, until something else is done', () => {
  const undo = new Undo()
  undo.remember(step(1))
  undo.turn('undo', [step(2)])
  expect([undo.can('undo'), undo.can('redo'), undo.next('redo')]).toEqual([false, true, [op('2')]])
  undo.turn('redo', [step(3)])
  undo.turn('undo', [step(4)])
  undo.remember(step(5))
  expect([undo.can('undo'), undo.can('redo')]).toEqual([true, false])
})

it('does not take back what has no effect', () => {
  const undo = new Undo()
  undo.remember(step(1))
  undo.beginGroup()
  undo.remember(step(2))
  undo.forget(2)
  undo.remember(step(3))
  undo.remember(step(4))
  undo.forget(3)
  undo.remember(step(5))
  undo.endGroup()
  undo.endGroup()
  expect([take(undo, 'undo'), take(undo, 'undo'), take(undo, 'undo')]).toEqual([['5', '4'], ['1'], undefined])
})

it('keeps a hundred groups', () => {
  const undo = new Undo()
  for (let number = 0; number < 150; number++) undo.remember(step(number))
  let undone = 0
  while (take(undo, 'undo')) undone++
  expect(undone).toBe(100)
})
