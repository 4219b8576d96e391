import { expect, it } from 'vitest'
import { vectors } from '../testing/vectors.ts'
import * as limits from './limits.ts'

const file = vectors<{ limits: Record<string, number> }>('limits.json')

it.each(Object.entries(limits))('L1: %s', (name, value) => {
  const key = name === 'ROOMS_MAX' ? 'rooms_per_session_max' : name.toLowerCase()
  expect(value).toBe(file.limits[key])
})
