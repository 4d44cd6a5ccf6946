import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it, vi } from 'vitest'

import { openLiveLine, type LiveEvents } from '@/api/live'

import { useLiveLine } from './live'

vi.mock('@/api/live')

const deaf: LiveEvents = { job: vi.fn(), shot: vi.fn(), image: vi.fn(), preview: vi.fn(), notice: vi.fn() }
let wishes: string[]
let connect: () => void
let disconnect: () => void
let gap: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  wishes = []
  vi.mocked(openLiveLine).mockReturnValue({
    on: vi.fn(),
    onConnect: (listener) => (connect = listener),
    onGap: (listener) => (gap = listener),
    onDisconnect: (listener) => (disconnect = listener),
    watch: (id) => void wishes.push(`watch ${id}`),
    unwatch: (id) => void wishes.push(`unwatch ${id}`),
    close: vi.fn(),
  })
})

it('asks again on every connect for what is watched, and for the truth whenever events were missed', () => {
  const live = useLiveLine()
  const refetch = vi.fn()
  live.open(deaf, refetch)
  live.watch('j1')
  wishes = []
  connect()
  disconnect()
  expect(live.connected).toBe(false)
  connect()
  expect(live.connected).toBe(true)
  expect(wishes).toEqual(['watch j1', 'watch j1'])
  gap()
  expect(refetch).toHaveBeenCalledTimes(1)
})

it('stops watching when the last watcher leaves', () => {
  const live = useLiveLine()
  live.open(deaf, vi.fn())
  live.watch('j1')
  live.watch('j1')
  live.unwatch('j1')
  expect(wishes).toEqual(['watch j1'])
  live.unwatch('j1')
  expect(wishes).toEqual(['watch j1', 'unwatch j1'])
})
