// A guest in a Worker: the first message is its invitation, each later one a command.

import { invite } from './guest.ts'
import type { Command, Invitation } from './knowledge.ts'

let order: ((command: Command) => void) | undefined
onmessage = ({ data }: MessageEvent<Invitation | Command>) => {
  if (order) order(data as Command)
  else order = invite(data as Invitation, (knowledge) => postMessage(knowledge))
}
