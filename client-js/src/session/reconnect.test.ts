import { expect, it } from 'vitest'
import { vectors } from '../testing/vectors.ts'
import { type Action, Reconnect } from './reconnect.ts'

interface Step {
  now: number
  do: 'wanted' | 'unwanted' | 'welcome' | 'end' | 'nudge' | 'timeout'
  code?: number
  retry_after_ms?: number
  random?: number
  actions: unknown[]
  due: number | null
}

interface Script {
  name: string
  config: { lost_connection_ms: number; can_renew_token: boolean }
  steps: Step[]
}

const { scripts } = vectors<{ scripts: Script[] }>('reconnect.json')

/** An action as the vectors have it. */
function plain(action: Action): unknown {
  if (action.type === 'connect') return { connect: { new_token: action.newToken } }
  if (action.type === 'status') return { status: action.status }
  return action.type === 'abandon' ? { abandon: {} } : { lost_connection: action.change }
}

function handle(machine: Reconnect, step: Step): void {
  const { now, random = 0 } = step
  if (step.do === 'wanted') machine.handleWanted(now)
  else if (step.do === 'unwanted') machine.handleUnwanted()
  else if (step.do === 'welcome') machine.handleWelcome(now)
  else if (step.do === 'end') machine.handleEnd(now, step.code, step.retry_after_ms, random)
  else if (step.do === 'nudge') machine.handleNudge(now, random)
  else machine.handleTimeout(now, random)
}

// proves C2, C3
it.each(scripts)('$name', ({ config, steps }) => {
  const machine = new Reconnect(config.lost_connection_ms, config.can_renew_token)
  for (const step of steps) {
    handle(machine, step)
    const actions: Action[] = []
    for (let action; (action = machine.pollAction());) actions.push(action)
    const { due } = machine
    const at = `${step.do} at ${step.now}`
    expect([at, actions.map(plain), due === Infinity ? null : due]).toEqual([at, step.actions, step.due])
  }
})
