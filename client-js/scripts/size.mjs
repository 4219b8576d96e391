// Prints how much a page loads of the client, and fails if it is over the budget or has grown by more than 2 % since
// size.json was written. `--write` records the size there. Run `npm run build` first.

import { build } from 'esbuild'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

/** Most bytes of the whole client, minified and gzipped. */
const BUDGET = 23_800
const GROWTH = 1.02

const recordFile = new URL('../size.json', import.meta.url)
const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('../dist/index.js', import.meta.url))],
  bundle: true,
  format: 'esm',
  minify: true,
  platform: 'browser',
  target: 'es2022',
  write: false,
})
const [bundle] = outputFiles
const size = { min: bundle.contents.length, gz: gzipSync(bundle.contents, { level: 9 }).length }
const recorded = JSON.parse(await readFile(recordFile, 'utf8').catch(() => 'null'))
console.log(`client: ${size.min} B min, ${size.gz} B min+gz; recorded ${recorded?.gz ?? 'nothing'}, budget ${BUDGET}`)

if (size.gz > BUDGET) fail(`it is ${size.gz - BUDGET} B over the budget`)
if (process.argv.includes('--write')) await writeFile(recordFile, `${JSON.stringify(size)}\n`)
else if (!recorded) fail('no size is recorded; record it with --write')
else if (size.gz > recorded.gz * GROWTH) fail('it has grown by more than 2 %; --write records it')

function fail(reason) {
  console.error(`client: ${reason}`)
  process.exit(1)
}
