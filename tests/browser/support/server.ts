// The servers of the tests: the real one as a child, and one that is not there.

import type { ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'
import { serve } from './folder.ts'
import { ended, HITHER, start } from './programs.ts'

/** A server, as far as clients can tell. */
export interface Server {
  /** Where its pages come from, `http://host:port`. */
  readonly origin: string
  /** Where it takes connections, for who can't ask `origin`. It is new after each start. */
  readonly endpoint: { readonly url: string; readonly certSha256: string }
  /** A sample of its metrics. */
  metric(name: string): Promise<number>
  /** Ends it: SIGTERM lets it say bye, SIGKILL does not. Rejects if it does not end well. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Starts it again, where it was. */
  restart(): Promise<void>
  /** Ends it for good. Rejects as `end` does. */
  close(): Promise<void>
  /** What it has written to stderr. */
  log(): string
}

/** What a server says of where it is. */
export interface Discovery {
  readonly quic: string
  readonly ws?: string
}

interface Ready {
  readonly quic: string
  readonly http: string
  readonly ops: string
  readonly cert_sha256: string
}

/** Starts `hither dev` with the page in `folder`, on free ports. */
export async function startHither(folder: string): Promise<Server> {
  let log = ''
  let child: ChildProcess
  const startAt = async (quic: string, http: string, ops: string): Promise<Ready> => {
    const args = ['dev', '--listen', quic, '--http', http, '--ops', ops, '--page', folder]
    child = start(HITHER, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stderr?.on('data', (chunk) => (log += chunk))
    for await (const line of createInterface(child.stdout!)) return JSON.parse(line) as Ready
    throw new Error(`the server did not start: ${log}`)
  }
  const any = '127.0.0.1:0'
  let ready = await startAt(any, any, any)
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const code = await ended(child, signal)
    if (signal === 'SIGTERM' && code !== 0) throw new Error(`the server ended with code ${code}`)
    if (log.includes('panicked')) throw new Error('the server panicked')
  }
  return {
    origin: `http://${ready.http}`,
    get endpoint() {
      return { url: `https://${ready.quic}`, certSha256: ready.cert_sha256 }
    },
    async metric(name) {
      const page = await (await fetch(`http://${ready.ops}/metrics`)).text()
      const line = page.split('\n').find((line) => line.startsWith(`${name} `))
      if (!line) throw new Error(`no ${name} in\n${page}`)
      return Number(line.slice(name.length))
    },
    end,
    async restart() {
      ready = await startAt(ready.quic, ready.http, ready.ops)
    },
    close: () => end('SIGTERM'),
    log: () => log,
  }
}

/** A UDP port where nobody answers, as in a network that lets no UDP through. */
export async function silentPort(): Promise<{ readonly address: string; readonly close: () => void }> {
  // Bound, so that nobody else comes to be there.
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return { address: `127.0.0.1:${socket.address().port}`, close: () => socket.close() }
}

/** The page in `folder` is served, but where the server should take connections, nobody answers. */
export async function startNothing(folder: string): Promise<Server> {
  const { address: quic, close } = await silentPort()
  const certSha256 = '00'.repeat(32)
  const discovery = { quic, cert_sha256: certSha256, protocol: 1 }
  const served = await serve(folder, { '/.well-known/hither': discovery })
  return {
    origin: served.origin,
    endpoint: { url: `https://${quic}`, certSha256 },
    metric: () => Promise.resolve(NaN),
    end: () => Promise.resolve(),
    restart: () => Promise.resolve(),
    async close() {
      close()
      served.close()
    },
    log: () => '',
  }
}
