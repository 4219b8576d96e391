// The demo page of Hither: enters the room that the address names, and hands it to the parts of the page.

import { createClient } from '@hither/client'
import { createBoard } from './board.ts'
import { startBots } from './bots.ts'
import { showConnection } from './connection.ts'
import { CursorLayer } from './cursor-layer.ts'
import { showCursors } from './cursors.ts'
import { createHand } from './hand.ts'
import { editMe, rememberedMe } from './me.ts'
import { startNetwork } from './network-panel.ts'
import { startNotes } from './notes.ts'
import { startPanel } from './panel.ts'
import { showPeople } from './people.ts'
import { startReactions } from './reactions.ts'
import { joinSecretOf, roomIdOf, roomNameOf } from './room-url.ts'
import { startRooms } from './rooms.ts'
import { speakOf } from './speaker.ts'
import { startTheme } from './theme.ts'
import { showWire } from './wire-panel.ts'

const name = roomNameOf(location.href)
startTheme()
startPanel()
startRooms(name)

enter()

function enter(): void {
  const me = rememberedMe()
  const token = joinSecretOf(location.href)
  const client = createClient({ name: me.name, ...(token && { auth: () => ({ token }) }) })
  const { room } = client.enterRoom(roomIdOf(name), { initialPresence: me })

  const board = createBoard()
  const layer = new CursorLayer(board, room.cursors)
  const hand = createHand(room, board, layer)
  showCursors(room, layer)
  startNotes(room, board, hand)
  startReactions(room, board, hand)
  startBots(room)
  showPeople(room)
  editMe(room)
  showWire(room)
  startNetwork(room, layer)
  speakOf(room)
  showConnection(client, room)
}
