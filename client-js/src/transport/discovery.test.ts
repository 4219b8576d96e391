import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { discover } from './discovery.ts'

const { signal } = new AbortController()
let asked: { url: string; init: RequestInit }[]
let status: number

beforeEach(() => {
  asked = []
  status = 200
})

afterEach(() => {
  vi.unstubAllGlobals()
})

/** Has every http server answer this. */
function answer(quic: string, certSha256?: string, ws?: string): void {
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    asked.push({ url: url.href, init })
    const response = Response.json({ quic, ws, cert_sha256: certSha256 }, { status })
    return Object.defineProperty(response, 'url', { value: url.href })
  })
}

describe('the endpoint', () => {
  it('H1: of an https address is at the path of the version there, and nobody is asked', async () => {
    answer('elsewhere:1')
    const endpoint = await discover(new URL('https://a.example:8443/some/page?x=1'), 'ab12', signal)
    expect(endpoint).toEqual({
      url: 'https://a.example:8443/hither/1',
      ws: 'wss://a.example:8443/hither/1',
      certSha256: 'ab12',
    })
    expect(asked).toEqual([])
  })

  it('of an http address is what the server there says, now and not before', async () => {
    answer('a.example:4433', 'ab12')
    const endpoint = await discover(new URL('http://b.example:8080/some/page'), undefined, signal)
    expect(endpoint).toEqual({
      url: 'https://a.example:4433/hither/1',
      ws: 'wss://a.example:4433/hither/1',
      certSha256: 'ab12',
    })
    expect(asked).toEqual([{ url: 'http://b.example:8080/.well-known/hither', init: { signal, cache: 'no-store' } }])
  })

  it("is asked of the page's own origin by default", async () => {
    vi.stubGlobal('location', { href: 'https://page.example/room/1#x' })
    answer('page.example:4433')
    const endpoint = await discover(undefined, undefined, signal)
    expect(endpoint).toEqual({
      url: 'https://page.example:4433/hither/1',
      ws: 'wss://page.example:4433/hither/1',
      certSha256: undefined,
    })
    expect(asked[0]?.url).toBe('https://page.example/.well-known/hither')
  })

  it.each(['0.0.0.0:4433', '[::]:4433'])(
    'of a server that listens on %s is where its answer came from',
    async (quic) => {
      answer(quic)
      const endpoint = await discover(new URL('http://b.example:8080'), undefined, signal)
      expect(endpoint.url).toBe('https://b.example:4433/hither/1')
    },
  )

  it('has the certificate that the application names, whatever the server says', async () => {
    answer('a.example:4433', 'ab12')
    expect(await discover(new URL('http://b.example'), 'cd34', signal)).toMatchObject({ certSha256: 'cd34' })
  })

  it('W1: of plain WebSocket is where its answer came from, if the server has it', async () => {
    answer('a.example:4433', 'ab12', '0.0.0.0:8080')
    expect(await discover(new URL('http://b.example:80/page'), undefined, signal)).toMatchObject({
      url: 'https://a.example:4433/hither/1',
      ws: 'ws://b.example/hither/1',
    })
    vi.stubGlobal('location', { href: 'https://proxy.example/room/1' })
    expect(await discover(undefined, undefined, signal)).toMatchObject({ ws: 'wss://proxy.example/hither/1' })
  })

  it('is not found where the http server does not know of it', async () => {
    status = 404
    answer('a.example:4433')
    await expect(discover(new URL('http://b.example'), undefined, signal)).rejects.toThrow(
      'http://b.example/.well-known/hither: 404',
    )
  })
})
