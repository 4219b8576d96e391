// What is said of edits.

import { expect, it } from 'vitest'
import { refusalWords, saveWords } from './save-words.ts'

it.each([
  [0, true, 'Saved'],
  [0, false, 'Saved'],
  [3, true, 'Saving…'],
  [3, false, '3 waiting'],
])('of %i edits, connected: %s, it says %s', (pending, isConnected, words) => {
  expect(saveWords(pending, isConnected)).toBe(words)
})

it('has a reason for each refusal, the server’s own where it knows none', () => {
  expect(refusalWords({ code: 'no_record', message: 'x' })).toBe('That note was gone already.')
  expect(refusalWords({ code: 'new', message: 'not today' })).toBe('An edit was taken back: not today.')
})
