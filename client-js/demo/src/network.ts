// The bad network: the relay of `hither dev`, which loses and delays what goes through it, and how bad it is now.

/** How bad it is, each way by itself. */
export interface Network {
  /** The part of the packets that is lost, 0 to 0.5. */
  readonly loss: number
  /** How long each packet is on its way, in milliseconds, 0 to 1,000. */
  readonly delayMs: number
}

/** How a client comes through the relay. */
export interface Way {
  readonly url: string
  readonly certSha256: string
}

interface Found extends Network {
  readonly relay: string
}

/** How bad the network is; `undefined` if the server has none to offer, or is not there. */
export function findNetwork(): Promise<Network | undefined> {
  return ask<Found>('/demo/network')
}

/** Has the network be so for everyone who comes through it; `undefined` as above. */
export function setNetwork(network: Network): Promise<Network | undefined> {
  const body = JSON.stringify(network)
  return ask<Found>('/demo/network', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
}

/** The way through the relay, which is another after each start of the server; `undefined` as above. */
export async function findWay(): Promise<Way | undefined> {
  const [network, server] = await Promise.all([
    ask<Found>('/demo/network'),
    ask<{ cert_sha256: string }>('/.well-known/hither'),
  ])
  return network && server && { url: `https://${network.relay}`, certSha256: server.cert_sha256 }
}

async function ask<T>(path: string, init: RequestInit = { cache: 'no-store' }): Promise<T | undefined> {
  const response = await fetch(path, init).catch(() => undefined)
  return response?.ok ? ((await response.json()) as T) : undefined
}
