// What a page goes through: it is hidden and seen, online again, reloaded and left. It stands apart, since a Worker has
// little of it and Node nothing, and since storage may be forbidden: then nothing is kept, and nothing throws.

/** What is told of a page. */
export interface PageListener {
  /** It is hidden, or is not any more. */
  handleHidden(isHidden: boolean): void
  /** It is seen again, or its machine is online again. */
  handleNudge(): void
  /** It is seen again as it was left, and this is the newest resume token of its kind. */
  handleToken(token: string): void
  /** It is left; if the browser keeps it whole, it may be seen again. */
  handleLeft(): void
}

/** How many clients this page has made. */
let clients = 0

/**
 * Keeps a resume token from a page to the one that it is loaded anew as. It lies in the storage from the end of one to
 * the beginning of the other alone, so that the copy that a duplicated tab gets of it has none.
 */
export class Page {
  /** A page has its clients made in the same order when it is loaded anew. */
  readonly #key: string
  #end: AbortController | undefined
  /** A page has one such listener for each client: one must not take away another's. */
  readonly #ask = (event: Event): void => event.preventDefault()

  constructor(url: URL | undefined) {
    this.#key = `hither ${clients++} ${url ?? ''}`
  }

  /** Whether the page is hidden. */
  get isHidden(): boolean {
    return !!globalThis.document?.hidden
  }

  /** The token of the page before, once. */
  takeToken(): string | undefined {
    return ifStored(() => {
      const token = sessionStorage.getItem(this.#key)
      sessionStorage.removeItem(this.#key)
      return token ?? undefined
    })
  }

  /** Listens, unless it does already; `token` gives what is to be kept when the page ends. */
  listen(listener: PageListener, token: () => string | undefined): void {
    if (this.#end) return
    this.#end = new AbortController()
    const { signal } = this.#end
    const on = (type: string, call: () => void): void => globalThis.addEventListener?.(type, call, { signal })
    globalThis.document?.addEventListener(
      'visibilitychange',
      () => {
        listener.handleHidden(this.isHidden)
        if (!this.isHidden) listener.handleNudge()
      },
      { signal },
    )
    on('online', () => listener.handleNudge())
    on('pagehide', () => {
      const kept = token()
      // Without it the next page has a session of its own.
      if (kept) ifStored(() => sessionStorage.setItem(this.#key, kept))
      listener.handleLeft()
    })
    // A page that the browser has kept whole goes on with its own token, or with that of the page in between.
    on('pageshow', () => {
      const kept = this.takeToken()
      if (kept) listener.handleToken(kept)
      listener.handleNudge()
    })
  }

  /** Has the browser ask, or no more, whether the page may be left. */
  warn(isWanted: boolean): void {
    if (isWanted) globalThis.addEventListener?.('beforeunload', this.#ask)
    else globalThis.removeEventListener?.('beforeunload', this.#ask)
  }

  /** Listens no more. */
  end(): void {
    this.#end?.abort()
    this.#end = undefined
  }
}

/** Does something with what the browser stores; nothing where it stores nothing, or nothing for us. */
export function ifStored<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
