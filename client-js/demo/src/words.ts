// Made-up names, for people and for rooms: two friendly words, so that nobody begins as a number.

const MANNERS = ['Amber', 'Brave', 'Calm', 'Dapper', 'Gentle', 'Lucky', 'Merry', 'Quiet', 'Swift', 'Sunny', 'Wise']
const ANIMALS = ['Badger', 'Crane', 'Finch', 'Fox', 'Hare', 'Heron', 'Lynx', 'Otter', 'Owl', 'Robin', 'Wren']

/** A name for somebody, like `Calm Heron`. */
export function personName(): string {
  return `${pick(MANNERS)} ${pick(ANIMALS)}`
}

/** A name for a room that hardly anybody is in, like `calm-heron-482`. */
export function roomName(): string {
  return `${personName().toLowerCase().replace(' ', '-')}-${Math.floor(Math.random() * 1_000)}`
}

function pick(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] as string
}
