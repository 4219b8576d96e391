// What all tests share: one Chromium, and the tests' page in a folder that servers can serve.
//
// All tests:                npm test
// The tests of one file:    npx vitest run room
// One test:                 npx vitest run -t 'gone after its grace'
// In a visible browser:     HEADED=1 npx vitest run hidden
//
// HITHER_BIN_DIR is the folder of the programs (default: target/debug), CHROMIUM the browser (default:
// /usr/bin/chromium).

import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { TestProject } from 'vitest/node'
import { startChromium } from './chromium.ts'
import { CLIENT, missing, PAGE, TSC } from './programs.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the browser is driven from. */
    browser: string
    /** The folder of the tests' page. */
    page: string
  }
}

/** Runs before all tests; what it returns runs after them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const lack = missing()
  if (lack) throw new Error(lack)
  const page = mkdtempSync(`${tmpdir()}/hither-page-`)
  execFileSync(TSC, ['-p', PAGE, '--outDir', page], { stdio: ['ignore', 'inherit', 'inherit'] })
  cpSync(`${PAGE}/index.html`, `${page}/index.html`)
  cpSync(CLIENT, `${page}/dist`, { recursive: true })
  const browser = await startChromium()
  project.provide('browser', browser.wsEndpoint())
  project.provide('page', page)
  return async () => {
    await browser.close()
    rmSync(page, { recursive: true })
  }
}
