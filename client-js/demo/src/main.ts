// The demo page of Hither: enters the room that the address names, and hands it to the parts of the page.

import { createClient } from '@hither/client'
import { indexedDbQueue } from '@hither/client/offline'
import { createBoard } from './board.ts'
import { startBots } from './bots.ts'
import { layCable } from './cable.ts'
import { showConnection } from './connection.ts'
import { CursorLayer } from './cursor-layer.ts'
import { showCursors } from './cursors.ts'
import { createHand } from './hand.ts'
import { showHistory } from './history-panel.ts'
import { editMe, rememberedMe } from './me.ts'
import { startNetwork } from './network-panel.ts'
import { startNotes } from './notes.ts'
import { startOffline } from './offline-switch.ts'
import { startPanel } from './panel.ts'
import { showPeople } from './people.ts'
import { startReactions } from './reactions.ts'
import { joinSecretOf, roomIdOf, roomNameOf } from './room-url.ts'
import { startRooms } from './rooms.ts'
import { showSaved } from './saved.ts'
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
  const cable = layCable()
  // Edits that wait go on when this page is loaded anew, or another of this browser comes to the room.
  const offline = indexedDbQueue({ name: 'hither-demo' })
  const client = createClient({ name: me.name, offline, ...(token && { auth: () => ({ token }) }) })
  const { room } = client.enterRoom(roomIdOf(name), { initialPresence: me })

  const board = createBoard()
  const layer = new CursorLayer(board, room.cursors)
  const hand = createHand(room, board, layer)
  showCursors(room, layer)
  startNotes(room, board, hand)
  showSaved(room)
  showHistory(room)
  startOffline(cable)
  startReactions(room, board, hand)
  startBots(room)
  showPeople(room)
  editMe(room)
  showWire(room)
  startNetwork(room, layer)
  speakOf(room)
  showConnection(client, room, cable)
}
