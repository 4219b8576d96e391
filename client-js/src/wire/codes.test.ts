import { expect, it } from 'vitest'
import { vectors } from '../testing/vectors.ts'
import { afterClose, refusalName } from './codes.ts'

const file = vectors<{
  codes: { code: number; reaction: string }[]
  others: { code: number; reaction: string }[]
  refusals: { name: string; code: number }[]
}>('close.json')
const reactions = { stop: 'stop', token: 'new_token', retry: 'retry' }

it.each([...file.codes, ...file.others])('C2: after $code', ({ code, reaction }) => {
  expect(reactions[afterClose(code)]).toBe(reaction)
})

it('C2: a connection that ends without a code is tried again', () => {
  expect(afterClose()).toBe('retry')
})

it.each(file.refusals)('E1: $code is $name', ({ name, code }) => {
  expect(refusalName(code)).toBe(name)
})

it.each([0, 14, 999, 1.5, -1])('E1: %d, which is not known, is a bad request', (code) => {
  expect(refusalName(code)).toBe('bad_request')
})
