/** The jobs this page knows, folded from REST answers and live events. */

import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'

import * as api from '@/api/jobs'
import type { JobOrder } from '@/domain/orders'
import { EMPTY_BOARD, fold, previewKey, type News } from '@/domain/jobBoard'
import { isTerminal, isWhole, newestFirst, progressOf, type Job } from '@/domain/jobs'
import { activeFirst, type Place } from '@/domain/line'

/** How many jobs the page asks for at once. */
const PAGE = 20

export const useJobs = defineStore('jobs', () => {
  const board = shallowRef(EMPTY_BOARD)
  /** False until the first answer came: an empty list means something only after that. */
  const loaded = ref(false)
  const nextCursor = ref<string | null>(null)

  const all = computed(() => Object.values(board.value.jobs).sort(newestFirst))
  const listed = computed(() => Object.values(board.value.jobs).sort(activeFirst))
  const active = computed(() => all.value.filter((job) => !isTerminal(job.state)))
  const newest = computed<Job | undefined>(() => all.value[0])

  /** How far everything under way is together, 0 to 1; null when nothing is. */
  const progress = computed(() => {
    const shots = active.value.reduce((sum, job) => sum + job.count, 0)
    if (shots === 0) return null
    return active.value.reduce((sum, job) => sum + progressOf(job) * job.count, 0) / shots
  })

  function apply(news: News): void {
    board.value = fold(board.value, news)
  }

  /** Fetches the truth: the newest jobs, and every job thought active that is not among them. */
  async function refresh(): Promise<void> {
    const page = await api.listJobs({ limit: PAGE })
    apply({ type: 'listed', jobs: page.items })
    if (!loaded.value) nextCursor.value = page.next_cursor
    loaded.value = true
    // The list tells the gist; what is under way, or was when we last heard, is shown in whole.
    const whole = new Set(page.items.filter(isWhole).map((job) => job.id))
    const partial = active.value.filter((job) => !whole.has(job.id))
    apply({ type: 'listed', jobs: await Promise.all(partial.map((job) => api.getJob(job.id))) })
  }

  async function loadMore(): Promise<void> {
    if (!nextCursor.value) return
    const page = await api.listJobs({ limit: PAGE, cursor: nextCursor.value })
    nextCursor.value = page.next_cursor
    apply({ type: 'listed', jobs: page.items })
  }

  /** Fetches all of a job that a list has told only the gist of. */
  async function complete(id: string): Promise<void> {
    const job = byId(id)
    if (job && !isWhole(job)) learn(await api.getJob(id))
  }

  async function submit(order: JobOrder, idempotencyKey: string): Promise<Job> {
    return learn(await api.submitJob(order, idempotencyKey))
  }

  async function cancel(id: string): Promise<Job> {
    return learn(await api.cancelJob(id))
  }

  async function retry(id: string): Promise<Job> {
    return learn(await api.retryJob(id))
  }

  /** Moves a job among one's own; the places of the others are fetched after it. */
  async function move(id: string, place: Place): Promise<void> {
    learn(await api.moveJob(id, place))
    await refresh()
  }

  function learn(job: Job): Job {
    apply({ type: 'job', job })
    return job
  }

  function byId(id: string): Job | undefined {
    return board.value.jobs[id]
  }

  function previewOf(jobId: string, index: number): string | undefined {
    return board.value.previews[previewKey(jobId, index)]
  }

  return { loaded, all, listed, active, newest, progress, nextCursor, apply, refresh, loadMore, complete, submit, cancel, retry,
    move, byId, previewOf }
})
