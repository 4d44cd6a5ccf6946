/** The live line: server events over one WebSocket. Events are hints; whoever listens refetches on every connect. */

import { io, type Socket } from 'socket.io-client'
import * as parser from 'socket.io-parser'

import type { Image } from '@/domain/images'
import type { Preview, ShotNews } from '@/domain/jobBoard'
import type { Job } from '@/domain/jobs'

import { quoteSeeds } from './json'

/** What the server tells the account, besides of its jobs. Kinds and fields may come that this page does not know. */
export interface Notice {
  id: string
  kind: string
  url?: string
  description?: string
}

export interface LiveEvents {
  notice: (notice: Notice) => void
  job: (job: Job) => void
  shot: (shot: ShotNews) => void
  image: (image: Image) => void
  preview: (preview: Preview) => void
}

/** What the server says besides: events of its other processes may have been missed. */
interface ServerWords extends LiveEvents {
  refetch: () => void
}

interface LiveWishes {
  watch: (wish: { job_id: string }) => void
  unwatch: (wish: { job_id: string }) => void
}

export interface LiveLine {
  on<E extends keyof LiveEvents>(event: E, listener: LiveEvents[E]): void
  /** Whenever events may have been missed: on every connect, and when the server says so. */
  onGap(listener: () => void): void
  onConnect(listener: () => void): void
  onDisconnect(listener: () => void): void
  watch(jobId: string): void
  unwatch(jobId: string): void
  close(): void
}

class SeedKeepingDecoder extends parser.Decoder {
  override add(packet: unknown): void {
    super.add(typeof packet === 'string' ? quoteSeeds(packet) : packet)
  }
}

/** After the server itself has hung up or refused, nothing reconnects unless we do. */
const CALL_AGAIN_MS = 2_000

export function openLiveLine(): LiveLine {
  const socket: Socket<ServerWords, LiveWishes> = io({
    transports: ['websocket'],
    reconnectionDelay: 500,
    reconnectionDelayMax: 5_000,
    parser: { ...parser, Decoder: SeedKeepingDecoder },
  })
  let callAgain: ReturnType<typeof setTimeout> | undefined
  function onLost(): void {
    clearTimeout(callAgain)
    if (!socket.active) callAgain = setTimeout(() => socket.connect(), CALL_AGAIN_MS)
  }
  socket.on('disconnect', onLost)
  socket.on('connect_error', onLost)

  return {
    on: (event, listener) => void socket.on(event, listener as never),
    onGap: (listener) => {
      socket.on('connect', listener)
      socket.on('refetch', listener)
    },
    onConnect: (listener) => void socket.on('connect', listener),
    onDisconnect: (listener) => {
      socket.on('disconnect', listener)
      socket.on('connect_error', listener)
    },
    // Volatile: a wish made while the line is down would be sent again, out of date, with the next connect.
    watch: (job_id) => void socket.volatile.emit('watch', { job_id }),
    unwatch: (job_id) => void socket.volatile.emit('unwatch', { job_id }),
    close: () => {
      socket.off('disconnect', onLost)
      clearTimeout(callAgain)
      socket.close()
    },
  }
}
