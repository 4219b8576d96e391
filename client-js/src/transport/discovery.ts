// Where the server is: a page knows an http address, and asks there for those of the transports.

/** What the transports need to know. */
export interface Endpoint {
  /** The address of WebTransport, like `https://127.0.0.1:4433/hither/1`. */
  readonly url: string
  /** The address of WebSocket, like `wss://127.0.0.1:4433/hither/1`. */
  readonly ws: string
  /** SHA-256 of the certificate in hex, if it is one that no public authority signed. */
  readonly certSha256: string | undefined
}

const PATH = '/hither/1'

/**
 * Finds the server's endpoint. An `https:` address is the endpoint's own; an `http:` one, and without any the page's
 * own origin, is asked at `/.well-known/hither`.
 */
export async function discover(
  url: URL | undefined,
  certSha256: string | undefined,
  signal: AbortSignal,
): Promise<Endpoint> {
  if (url?.protocol === 'https:') return endpoint(new URL(PATH, url).href, certSha256)
  const response = await fetch(new URL('/.well-known/hither', url ?? location.href), { signal, cache: 'no-store' })
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`)
  const answer = (await response.json()) as { quic: string; ws?: string; cert_sha256?: string }
  const quic = new URL(`https://${answer.quic}${PATH}`)
  // A server that listens on all addresses is where its answer came from.
  if (/^(0\.0\.0\.0|\[::\])$/.test(quic.hostname)) quic.hostname = new URL(response.url).hostname
  // Plain WebSocket is where this answer came from, by whatever name or proxy.
  const ws = answer.ws && new URL(PATH, response.url).href
  return endpoint(quic.href, certSha256 ?? answer.cert_sha256, ws)
}

function endpoint(url: string, certSha256: string | undefined, ws = url): Endpoint {
  return { url, ws: ws.replace(/^http/, 'ws'), certSha256 }
}
