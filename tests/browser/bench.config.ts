// How the measuring runs: as the tests do, but by hand, and not among them.

import { defineConfig, mergeConfig } from 'vitest/config'
import tests from './vitest.config.ts'

export default mergeConfig(
  { ...tests, test: { ...tests.test, include: [] } },
  defineConfig({ test: { include: ['*.bench.ts'] } }),
)
