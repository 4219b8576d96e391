// A guest in a room that does what it is told and tells what it knows: the same in a page and in a Worker.

import { createClient, type Room, type User } from './dist/index.js'
import { type Command, type Fields, type Invitation, type Knowledge, nothing } from './knowledge.ts'

/** Lets a guest in, which tells all that it knows after each thing that it hears, and gives back what it is told by. */
export function invite(invitation: Invitation, tell: (knowledge: Knowledge) => void): (command: Command) => void {
  const { name, room: id, server } = invitation
  const client = createClient({ name, ...server })
  const knows = nothing()
  const report = (): void => tell(structuredClone(knows))
  client.subscribe('error', ({ type, code }) => {
    knows.errors.push(`${type} ${code}`)
    report()
  })

  const enter = (): { room: Room; leave: () => void } => {
    const entered = client.enterRoom(id, { initialPresence: { name } })
    listen(entered.room, knows, report)
    return entered
  }
  let { room, leave } = enter()
  return (command) => {
    if ('enter' in command) ({ room, leave } = enter())
    else if ('also' in command) client.enterRoom(command.also)
    else if ('motion' in command) room.cursors.set({ x: command.motion[0], y: command.motion[1] })
    else if ('presence' in command) room.updatePresence(command.presence as Plain)
    else if ('event' in command) room.broadcast(command.event.name, command.event.data as Plain)
    else if ('put' in command) void room.records.put(command.put.id, command.put.fields as Plain)
    else if ('patch' in command) void room.records.patch(command.patch.id, command.patch.fields as Plain)
    else if ('remove' in command) void room.records.remove(command.remove.id)
    else leave()
  }
}

/** Plain data, as the client names it. */
type Plain = ReturnType<Room['getPresence']>

function listen(room: Room, knows: Knowledge, report: () => void): void {
  const names = new Map<number, string>()
  const nameOf = (user: User): string => user.info.name ?? user.id
  room.subscribe('status', (status, resumed) => {
    knows.status = status
    const { transport, transportReason } = room.getStats()
    knows.transport = [transport, transportReason]
    knows.resumed = resumed
    report()
  })
  room.subscribe('others', (others, change) => {
    if (change.type === 'update' && change.user.status === 'lost') knows.lost.push(nameOf(change.user))
    if (change.type === 'leave') {
      knows.gone.push(nameOf(change.user))
      delete knows.cursors[nameOf(change.user)]
    }
    for (const user of others) names.set(user.connectionId, nameOf(user))
    knows.others = Object.fromEntries(
      others.map((user) => [nameOf(user), { presence: user.presence as Fields, status: user.status }]),
    )
    report()
  })
  room.subscribe('event', ({ name, data, user }) => {
    knows.events.push({ name, data, from: user && nameOf(user) })
    report()
  })
  room.subscribe('error', ({ type, code }) => {
    knows.errors.push(`${type} ${code}`)
    report()
  })
  room.cursors.subscribe(({ connectionId, x, y }) => {
    knows.moves++
    knows.cursors[names.get(connectionId) ?? 'nobody'] = [x, y]
    report()
  })
  room.records.subscribe(() => {
    knows.records = {}
    room.records.forEach((fields, id) => (knows.records[id] = fields as Fields))
    report()
  })
}
