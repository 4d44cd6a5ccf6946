/** The live line: server events over one WebSocket. Events are hints; whoever listens refetches on every connect. */

import { io, type Socket } from 'socket.io-client'
import * as parser from 'socket.io-parser'

import type { Image } from '@/domain/images'
import type { Preview, ShotNews } from '@/domain/jobBoard'
import type { Job } from '@/domain/jobs'

import { keepSeeds } from './json'

export interface LiveEvents {
  job: (job: Job) => void
  shot: (shot: ShotNews) => void
  image: (image: Image) => void
  preview: (preview: Preview) => void
}

interface LiveWishes {
  watch: (wish: { job_id: string }) => void
  unwatch: (wish: { job_id: string }) => void
}

export interface LiveLine {
  on<E extends keyof LiveEvents>(event: E, listener: LiveEvents[E]): void
  onConnect(listener: () => void): void
  onDisconnect(listener: () => void): void
  watch(jobId: string): void
  unwatch(jobId: string): void
  close(): void
}

class SeedKeepingDecoder extends parser.Decoder {
  constructor() {
    super(keepSeeds as (key: string, value: unknown) => unknown)
  }
}

export function openLiveLine(): LiveLine {
  const socket: Socket<LiveEvents, LiveWishes> = io({
    transports: ['websocket'],
    reconnectionDelay: 500,
    reconnectionDelayMax: 5_000,
    parser: { ...parser, Decoder: SeedKeepingDecoder },
  })
  return {
    on: (event, listener) => void socket.on(event, listener as never),
    onConnect: (listener) => void socket.on('connect', listener),
    onDisconnect: (listener) => {
      socket.on('disconnect', listener)
      socket.on('connect_error', listener)
    },
    // Volatile: a wish made while the line is down would be sent again, out of date, with the next connect.
    watch: (job_id) => void socket.volatile.emit('watch', { job_id }),
    unwatch: (job_id) => void socket.volatile.emit('unwatch', { job_id }),
    close: () => void socket.close(),
  }
}
