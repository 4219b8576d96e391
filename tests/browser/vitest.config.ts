// How the browser tests run: one after the other, as two at a time would spoil each other's times on a small machine.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['*.test.ts'],
    globalSetup: 'support/setup.ts',
    fileParallelism: false,
    // One process for all files: they share no state, and what they import is large.
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 30_000,
  },
})
