import { useQueryClient } from '@tanstack/vue-query'
import { useEventListener, useTimeoutPoll } from '@vueuse/core'
import { computed, onBeforeUnmount, onMounted, watch } from 'vue'

import type { Notice } from '@/api/live'
import { ApiFailure } from '@/domain/failures'
import { countShots } from '@/domain/jobs'
import { useJobs } from '@/stores/jobs'
import { useLiveLine } from '@/stores/live'

import { useImageCache } from './useImageCache'
import { useNotice } from './useNotice'

/** While the line is down and something is under way. */
const EAGER_MS = 2_000
/** While the line is down and nothing is. */
const CALM_MS = 10_000
/** While the line is up and something is under way: heals what a lost event left behind. */
const HEALING_MS = 30_000
/** While the line is up and nothing is. */
const RESTING_MS = 300_000

/**
 * Keeps the page true for as long as it is open: live events while the line is up, polling while it is not, and the
 * truth by REST on load, on every connect and whenever the page comes back to the front.
 */
export function useLive(): void {
  const jobs = useJobs()
  const live = useLiveLine()
  const images = useImageCache()

  async function refresh(): Promise<void> {
    try {
      await jobs.refresh()
    } catch (error) {
      // No answer is shown by the connection notice, and the next poll asks again.
      if (!(error instanceof ApiFailure)) throw error
    }
  }

  let lastAsked = 0
  async function refreshWhenDue(): Promise<void> {
    const busy = jobs.active.length > 0
    const due = live.connected ? (busy ? HEALING_MS : RESTING_MS) : busy ? EAGER_MS : CALM_MS
    if (Date.now() - lastAsked < due) return
    lastAsked = Date.now()
    await refresh()
  }
  useTimeoutPoll(refreshWhenDue, 1_000, { immediate: true })

  useEventListener(document, 'visibilitychange', () => {
    if (document.visibilityState === 'visible') void refresh()
  })

  // Pictures that polling brought are not announced one by one.
  const delivered = computed(() => jobs.all.reduce((sum, job) => sum + countShots(job, 'succeeded'), 0))
  watch(delivered, (count, before) => {
    if (!live.connected && count > before) void images.refetch()
  })

  // Whoever starts or stops answering is worth a look at once.
  const client = useQueryClient()
  watch(() => live.connected, () => void client.invalidateQueries({ queryKey: ['status'] }))

  const told = useNotice()
  /** The same notice may come twice. */
  const heard = new Set<string>()
  function hearNotice(notice: Notice): void {
    if (notice.kind !== 'webhook_disabled' || heard.has(notice.id)) return
    heard.add(notice.id)
    told.warn('A webhook was turned off', `Nothing is sent to ${notice.description || notice.url} any more. See Account, Webhooks.`)
    void client.invalidateQueries({ queryKey: ['webhooks'] })
  }

  onMounted(() => {
    void refresh()
    live.open(
      {
        job: (job) => jobs.apply({ type: 'job', job }),
        shot: (shot) => jobs.apply({ type: 'shot', shot }),
        preview: (preview) => jobs.apply({ type: 'preview', preview }),
        notice: hearNotice,
        image: (image) => {
          jobs.apply({ type: 'image', image })
          if (image.deleted_at) images.remove(image.id)
          else images.add(image)
        },
      },
      () => {
        void refresh()
        void images.refetch()
      },
    )
  })
  onBeforeUnmount(() => live.close())
}
