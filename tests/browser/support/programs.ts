// The programs that tests need, where they lie, and children that do not outlive them.

import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const programs = process.env['HITHER_BIN_DIR'] ?? here('../../../target/debug')

/** The server. */
export const HITHER = `${programs}/hither`
/** The room in a terminal, a native client. */
export const TERMINAL = `${programs}/examples/terminal`
/** The browsers. */
export const CHROMIUM: string = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
export const FIREFOX: string = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
/** The client as packages have it. */
export const CLIENT: string = here('../../../client-js/dist')
/** The demo page. */
export const DEMO: string = here('../../../client-js/demo/dist')
/** The page of these tests, and where it is to be compiled by. */
export const PAGE: string = here('../page')
/** The compiler. */
export const TSC: string = here('../node_modules/.bin/tsc')

const NEEDED = [
  [HITHER, 'run `cargo build -p hither-server`'],
  [TERMINAL, 'run `cargo build -p hither-client --example terminal`'],
  [`${CLIENT}/index.js`, 'run `npm ci && npm run build` in client-js'],
  [`${DEMO}/index.html`, 'run `npm ci && npm run page` in client-js'],
  [CHROMIUM, 'install it, like by `apt-get install chromium`, or say by the variable CHROMIUM where it is'],
  [FIREFOX, 'install it, like by `apt-get install firefox-esr`, or say by the variable FIREFOX where it is'],
] as const

/** What is missing, as a sentence that says what to do about it. */
export function missing(): string | undefined {
  const found = NEEDED.find(([path]) => !existsSync(path))
  return found && `The browser tests need ${found[0]}, which is not there: ${found[1]}.`
}

/** Starts a child that is killed with this process, if not before. */
export function start(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(program, args, options)
  const kill = (): void => void child.kill('SIGKILL')
  process.on('exit', kill)
  child.on('exit', () => process.off('exit', kill))
  return child
}

/** Resolves with the exit code when a child has ended, by itself or by `signal`; null if a signal ended it. */
export function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => {
    child.once('exit', resolve)
    if (signal) child.kill(signal)
  })
}
