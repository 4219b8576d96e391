// Rooms by address: `?room=NAME` is the room NAME of the namespace that every server of this demo has.

/** The room of an address without one. */
const LOBBY = 'lobby'
const NAMESPACE = 'default'
/** The longest name of a room, in bytes of UTF-8. */
const NAME_BYTES_MAX = 128

/** The name of an address' room. */
export function roomNameOf(address: string): string {
  return cleaned(new URL(address).searchParams.get('room') ?? '') || LOBBY
}

/** The id by which the client enters a room. */
export function roomIdOf(name: string): string {
  return `${NAMESPACE}:${name}`
}

/** What opens a server of the local network; it is behind the hash, so no request has it. */
export function joinSecretOf(address: string): string | undefined {
  return new URL(address).hash.match(/^#join=(\w+)$/)?.[1]
}

/** The address of a room, on the page of another address. */
export function linkTo(name: string, address: string): string {
  const url = new URL(address)
  if (!joinSecretOf(address)) url.hash = ''
  url.search = new URLSearchParams({ room: cleaned(name) || LOBBY }).toString()
  return url.href
}

/** A name as the server takes it: without control characters, and not too long. */
function cleaned(name: string): string {
  let short = name.replace(/\p{Cc}/gu, '').trim()
  while (new TextEncoder().encode(short).length > NAME_BYTES_MAX) short = [...short].slice(0, -1).join('')
  return short
}
