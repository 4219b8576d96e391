// A native guest: the example `terminal` over raw QUIC, by its JSON lines.

import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type Fields, type Knowledge, nothing } from '../page/knowledge.ts'
import type { Guest } from './guest.ts'
import { ended, start, TERMINAL } from './programs.ts'
import { Watched } from './watched.ts'

interface Member {
  readonly slot: number
  readonly name: string
  readonly presence: Fields
  readonly status: string
}

/** What the terminal writes; each line is one of these. */
interface Line {
  readonly entered?: { readonly slot: number; readonly members: readonly Member[] }
  readonly joined?: Member
  readonly changed?: Member
  readonly left?: { readonly slot: number }
  readonly motion?: { readonly slot: number; readonly position: [number, number] }
  readonly event?: { readonly slot: number; readonly name: string; readonly data: unknown }
  readonly records?: Knowledge['records']
  readonly rejected?: { readonly code: string }
  readonly refused?: { readonly code: string }
  readonly error?: string
  readonly closed?: { readonly reason: string }
}

/** Starts a guest, which finds its server by `origin`. It is `disconnected` once its connection has ended. */
export function enterNatively(origin: string, name: string, room: string): Guest {
  const knows = new Watched(nothing())
  const enter = (): ChildProcess => {
    const args = ['--json', '--url', origin, '--room', room, '--name', name]
    const entering = start(TERMINAL, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    // Who is told something after its end does not hear it.
    entering.stdin?.on('error', () => {})
    const learn = learner()
    createInterface(entering.stdout!).on('line', (line) => {
      if (child === entering) knows.value = learn(structuredClone(knows.value), JSON.parse(line) as Line)
    })
    return entering
  }
  let child = enter()
  return {
    name,
    kind: 'native',
    knows,
    async order(command) {
      if (!('enter' in command)) return void child.stdin?.write(`${JSON.stringify(command)}\n`)
      child.stdin?.end()
      child = enter()
    },
    async vanish() {
      await ended(child, 'SIGKILL')
    },
  }
}

/** Gives a function that changes what is known by the next line of one program. */
function learner(): (knows: Knowledge, line: Line) => Knowledge {
  const names = new Map<number, string>()
  let own: number | undefined
  const nameOf = (slot: number): string => names.get(slot) ?? 'nobody'
  const meet = (knows: Knowledge, { slot, name, presence, status }: Member): void => {
    names.set(slot, name)
    if (slot !== own) knows.others[name] = { presence, status }
    if (status === 'lost') knows.lost.push(name)
  }
  return (knows, line) => {
    const { entered, joined, changed, left, motion, event } = line
    if (entered) {
      own = entered.slot
      knows.status = 'connected'
      knows.others = {}
      for (const member of entered.members) meet(knows, member)
    }
    if (joined) meet(knows, joined)
    if (changed) meet(knows, changed)
    if (left && left.slot === own) {
      knows.status = 'initial'
    } else if (left) {
      knows.gone.push(nameOf(left.slot))
      delete knows.others[nameOf(left.slot)]
      delete knows.cursors[nameOf(left.slot)]
    }
    if (motion) {
      knows.moves++
      knows.cursors[nameOf(motion.slot)] = motion.position
    }
    if (event) knows.events.push({ name: event.name, data: event.data, from: nameOf(event.slot) })
    if (line.records) knows.records = line.records
    if (line.rejected) knows.errors.push(`edit ${line.rejected.code}`)
    if (line.refused) knows.errors.push(`room ${line.refused.code}`)
    if (line.error) knows.errors.push(line.error)
    if (line.closed) knows.status = 'disconnected'
    return knows
  }
}
