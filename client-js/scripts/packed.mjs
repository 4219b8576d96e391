// Packs the client, installs the tarball in an empty project as a user would, and imports it there. Run `npm run build`
// first.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const project = mkdtempSync(join(tmpdir(), 'hither-client-'))

try {
  run(root, 'npm', 'pack', '--silent', '--pack-destination', project)
  const tarball = readdirSync(project).find((file) => file.endsWith('.tgz'))
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  run(project, 'npm', 'install', '--silent', '--offline', `./${tarball}`)

  const files = readdirSync(join(project, 'node_modules/@hither/client'), { recursive: true, encoding: 'utf8' })
  const tests = files.filter((file) => /\.test\.|\btesting\b/.test(file))
  if (tests.length > 0) throw new Error(`the package has tests: ${tests.join(', ')}`)

  const program = "import('@hither/client').then((client) => console.log(Object.keys(client).join(' ')))"
  const names = run(project, process.execPath, '-e', program).trim()
  if (!/\bcreateClient\b/.test(names)) throw new Error(`the package exports no createClient, only ${names}`)
  console.log(`${tarball}: ${files.length} files; it exports ${names}`)
} finally {
  rmSync(project, { recursive: true, force: true })
}

function run(cwd, program, ...args) {
  return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}
