// What a guest of a test is told to do and what it knows of its room, whatever it runs in. Apart from the guests, as
// both ends of the line to them need it.

/** A map of plain data. */
export interface Fields {
  [field: string]: unknown
}

/** What a guest is to do: the commands of the terminal's JSON lines, and two more. */
export type Command =
  /** Enters the room again. */
  | { readonly enter: true }
  /** Enters one more room, and stays there; a native guest can't. */
  | { readonly also: string }
  | { readonly motion: readonly [number, number] }
  | { readonly presence: Fields }
  | { readonly event: { readonly name: string; readonly data: unknown } }
  | { readonly put: { readonly id: string; readonly fields: Fields } }
  | { readonly patch: { readonly id: string; readonly fields: Fields } }
  | { readonly remove: { readonly id: string } }
  | { readonly leave: true }

/** All that a guest knows. Members go by their users' names, which tests keep apart. */
export interface Knowledge {
  /** Where its room stands; a native guest is `connected` once it has entered. */
  status: string
  /** What carries its connection, and why it is no better one; a native guest does not say. */
  transport: [type: string | null, reason: string | null]
  /** Whether it is the member that it was before it entered last; a native guest does not say. */
  resumed: boolean
  /** The others that are in the room. */
  others: { [name: string]: { presence: Fields; status: string } }
  /** Who was seen as lost, in that order. */
  lost: string[]
  /** Who was seen to leave, in that order. */
  gone: string[]
  /** Where the others point. */
  cursors: { [name: string]: [x: number, y: number] }
  /** How often it was told of a cursor. */
  moves: number
  /** The events that it got, in that order. */
  events: { name: string; data: unknown; from: string | null }[]
  /** The records. */
  records: { [id: string]: Fields }
  /** The codes of what went wrong, by type, like `entry not_found`. */
  errors: string[]
}

/** Nothing yet. */
export function nothing(): Knowledge {
  return {
    status: 'initial',
    transport: [null, null],
    resumed: false,
    others: {},
    lost: [],
    gone: [],
    cursors: {},
    moves: 0,
    events: [],
    records: {},
    errors: [],
  }
}

/** Who a guest in a browser is, and where it goes. */
export interface Invitation {
  readonly name: string
  readonly room: string
  /** Where the server is, if it is not where the page comes from. */
  readonly server?: { readonly url: string; readonly certSha256: string } | undefined
}

declare global {
  /** Lets a guest in, in the page or in a Worker of it; the test's to call. */
  var admit: (invitation: Invitation, where: 'page' | 'worker') => void
  /** Tells the guest what to do; the test's to call. Of a guest in the page it throws what the client throws. */
  var order: (command: Command) => void
  /** The test's ear. */
  var tell: (knowledge: Knowledge) => void
}
