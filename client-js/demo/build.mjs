// Builds the demo page into dist/: one script and one style sheet beside the HTML, so that a Content-Security-Policy
// may forbid all that is inline. `--watch` builds again on each change.

import { context } from 'esbuild'
import { cp, mkdir, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

await rm(here('dist'), { recursive: true, force: true })
await mkdir(here('dist'))
await Promise.all(['index.html', 'icon.svg'].map((file) => cp(here(file), here(`dist/${file}`))))

const bundle = await context({
  entryPoints: { main: here('src/main.ts'), style: here('style/style.css') },
  outdir: here('dist'),
  bundle: true,
  minify: true,
  format: 'esm',
  // What has WebTransport has all of these.
  target: ['chrome119', 'firefox128', 'safari26'],
  logLevel: 'info',
})
if (process.argv.includes('--watch')) {
  await bundle.watch()
} else {
  await bundle.rebuild()
  await bundle.dispose()
}
