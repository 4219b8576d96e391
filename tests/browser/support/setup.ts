// What all tests share: the two browsers, and the tests' page in a folder that servers can serve.
//
// All tests:                npm test
// The tests of one file:    npx vitest run room
// One test:                 npx vitest run -t 'gone after its grace'
// In a visible browser:     HEADED=1 npx vitest run hidden
// Those that block UDP:     npm run test:blocked
//
// HITHER_BIN_DIR is the folder of the programs (default: target/debug), CHROMIUM and FIREFOX are the browsers (default:
// /usr/bin/chromium and /usr/bin/firefox-esr).

import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { TestProject } from 'vitest/node'
import { type BrowserName, BROWSERS, startBrowser } from './browsers.ts'
import { CLIENT, missing, PAGE, TSC } from './programs.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where each browser is driven from. */
    browsers: { readonly [name in BrowserName]: string }
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
  const browsers = await Promise.all(BROWSERS.map((name) => startBrowser(name)))
  const [chromium, firefox] = browsers.map(({ endpoint }) => endpoint) as [string, string]
  project.provide('browsers', { chromium, firefox })
  project.provide('page', page)
  return async () => {
    await Promise.all(browsers.map((browser) => browser.close()))
    rmSync(page, { recursive: true })
  }
}
