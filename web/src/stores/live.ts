/** The live line's state, and what this page wishes to watch over it. */

import { defineStore } from 'pinia'
import { ref } from 'vue'

import { openLiveLine, type LiveEvents, type LiveLine } from '@/api/live'

export const useLiveLine = defineStore('live', () => {
  /** Null until the first attempt has ended either way. */
  const connected = ref<boolean | null>(null)
  /** Job id → how many parts of the page watch it. */
  const watchers = new Map<string, number>()
  let line: LiveLine | null = null

  function open(listeners: LiveEvents, onGap: () => void): void {
    line = openLiveLine()
    for (const event of Object.keys(listeners) as (keyof LiveEvents)[]) line.on(event, listeners[event])
    line.onConnect(() => {
      connected.value = true
      for (const jobId of watchers.keys()) line?.watch(jobId)
    })
    line.onGap(onGap)
    line.onDisconnect(() => (connected.value = false))
  }

  function close(): void {
    line?.close()
    line = null
  }

  function watch(jobId: string): void {
    const count = watchers.get(jobId) ?? 0
    watchers.set(jobId, count + 1)
    if (count === 0) line?.watch(jobId)
  }

  function unwatch(jobId: string): void {
    const count = (watchers.get(jobId) ?? 0) - 1
    if (count > 0) watchers.set(jobId, count)
    else {
      watchers.delete(jobId)
      line?.unwatch(jobId)
    }
  }

  return { connected, open, close, watch, unwatch }
})
