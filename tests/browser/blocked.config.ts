// How the tests run that block UDP: as the others do, but in a network of their own.

import { defineConfig, mergeConfig } from 'vitest/config'
import tests from './vitest.config.ts'

export default mergeConfig(
  { ...tests, test: { ...tests.test, include: [] } },
  defineConfig({ test: { include: ['*.blocked.ts'] } }),
)
