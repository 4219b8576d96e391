// A network that lets no UDP through, for real: the kernel drops it. Only in a network of the tests' own, which
// `npm run test:blocked` makes.

import { execFileSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'

/** Drops all UDP from now on; what it gives lets it through again, and may be called again. */
export function blockUdp(): () => void {
  const networks = Object.keys(networkInterfaces())
  if (networks.join() !== 'lo') throw new Error(`there are others in this network (${networks}): npm run test:blocked`)
  nft('table inet hither { chain input { type filter hook input priority 0; meta l4proto udp drop; }; }')
  // A table is made, if it is not there, before it is deleted.
  return () => nft('table inet hither; delete table inet hither')
}

function nft(commands: string): void {
  execFileSync('nft', ['-f', '-'], { input: commands, stdio: ['pipe', 'ignore', 'inherit'] })
}
