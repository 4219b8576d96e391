// The page's way to the network, which can be cut: as if somebody pulled the plug. The client knows nothing of it, and
// does what it does whenever there is no network.

/** A network cable. */
export interface Cable {
  readonly isCut: boolean
  /** Ends all connections, and lets none be made. */
  cut(): void
  /** Ends that. */
  mend(): void
  /** Calls `listener` when it is cut or mended. */
  onChange(listener: () => void): void
}

/** Has all connections of this page that are made from now on go through one cable. */
export function layCable(): Cable {
  const connections = new Set<WebTransport | WebSocket>()
  const listeners: (() => void)[] = []
  let isCut = false
  const through = {
    construct(target: new (...values: unknown[]) => WebTransport | WebSocket, values: unknown[]) {
      if (isCut) throw new Error('this page is offline')
      const connection = new target(...values)
      connections.add(connection)
      const forget = (): void => void connections.delete(connection)
      if ('closed' in connection) connection.closed.then(forget, forget)
      else connection.addEventListener('close', forget)
      return connection
    },
  }
  for (const name of ['WebTransport', 'WebSocket'] as const) {
    if (name in globalThis)
      Object.assign(globalThis, { [name]: new Proxy(globalThis[name], through as ProxyHandler<never>) })
  }
  const set = (value: boolean): void => {
    isCut = value
    if (isCut) for (const connection of connections) connection.close()
    for (const listener of listeners) listener()
    // Who waits for the network hears that it is there.
    if (!isCut) dispatchEvent(new Event('online'))
  }
  return {
    get isCut() {
      return isCut
    },
    cut: () => set(true),
    mend: () => set(false),
    onChange: (listener) => listeners.push(listener),
  }
}
