import { afterEach, describe, expect, it, vi } from 'vitest'
import { Emitter } from './emitter.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

/** What `report` has thrown from now on. */
function uncaught(): unknown[] {
  const errors: unknown[] = []
  vi.stubGlobal('queueMicrotask', (task: () => void) => {
    try {
      task()
    } catch (error) {
      errors.push(error)
    }
  })
  return errors
}

function listen(): { emitter: Emitter<{ a: [x: number, y: string]; b: [] }>; told: string[] } {
  return { emitter: new Emitter(), told: [] }
}

describe('an emitter', () => {
  it('calls the listeners of a type with its values, in the order in which they came', () => {
    const { emitter, told } = listen()
    emitter.subscribe('a', (x, y) => told.push(`first ${x} ${y}`))
    emitter.subscribe('b', () => told.push('other'))
    emitter.subscribe('a', (x, y) => told.push(`second ${x} ${y}`))
    emitter.emit('a', 1, 'one')
    expect(told).toEqual(['first 1 one', 'second 1 one'])
  })

  it('calls a function that was added twice twice, and takes one of them away', () => {
    const { emitter, told } = listen()
    const listener = (): unknown => told.push('x')
    const unsubscribe = emitter.subscribe('b', listener)
    emitter.subscribe('b', listener)
    emitter.emit('b')
    unsubscribe()
    unsubscribe()
    emitter.emit('b')
    expect(told).toHaveLength(3)
  })

  it('does not call what was taken away within a telling', () => {
    const { emitter, told } = listen()
    let unsubscribe = (): void => {}
    emitter.subscribe('b', () => unsubscribe())
    unsubscribe = emitter.subscribe('b', () => told.push('late'))
    emitter.emit('b')
    expect(told).toEqual([])
  })

  it('calls what was added within a telling from the next one on', () => {
    const { emitter, told } = listen()
    const unsubscribe = emitter.subscribe('b', () => void emitter.subscribe('b', () => told.push('new')))
    emitter.emit('b')
    expect(told).toEqual([])
    unsubscribe()
    emitter.emit('b')
    expect(told).toEqual(['new'])
  })

  it('goes on after a listener that throws, whose error nobody has caught', () => {
    const errors = uncaught()
    const { emitter, told } = listen()
    emitter.subscribe('b', () => {
      throw new Error('mine')
    })
    emitter.subscribe('b', () => told.push('next'))
    emitter.emit('b')
    expect([told, errors]).toEqual([['next'], [new Error('mine')]])
  })

  it('calls nobody once it is cleared, within a telling, too', () => {
    const { emitter, told } = listen()
    emitter.subscribe('b', () => emitter.clear())
    emitter.subscribe('b', () => told.push('late'))
    emitter.emit('b')
    emitter.emit('b')
    expect([told, emitter.has('b')]).toEqual([[], false])
  })
})
