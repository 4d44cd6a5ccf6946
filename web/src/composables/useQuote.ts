import { useQuery } from '@tanstack/vue-query'
import { refDebounced } from '@vueuse/core'
import { computed } from 'vue'

import { askQuote } from '@/api/quotes'
import { orderOf } from '@/domain/orders'
import { quotedOrder, quoteLine, refusalOf } from '@/domain/quotes'
import { useDraft } from '@/stores/drafts'
import { useJobs } from '@/stores/jobs'

const TYPING_MS = 400
/** The queue moves on meanwhile. */
const EVERY_MS = 20_000

/** What the draft would cost and when it would be ready; nothing while that is not known of this very draft. */
export function useQuote() {
  const store = useDraft()
  const jobs = useJobs()
  const wanted = computed(() => JSON.stringify(quotedOrder(orderOf(store.draft))))
  const settled = refDebounced(wanted, TYPING_MS)
  const { data, isError } = useQuery({
    // An order of one's own changes the next one's place. Asking for another one cancels the last question.
    queryKey: ['quote', settled, computed(() => jobs.active.length)],
    queryFn: ({ signal }) => askQuote(JSON.parse(settled.value), signal),
    retry: false,
    staleTime: EVERY_MS / 2,
    gcTime: 60_000,
    refetchInterval: EVERY_MS,
  })
  const quote = computed(() => (isError.value || settled.value !== wanted.value ? undefined : data.value))
  const limit = computed(() => quote.value?.limits[0])
  return {
    line: computed(() => (quote.value ? quoteLine(quote.value) : '')),
    /** Which limit an order would hit, in a sentence and in a few words. */
    refusal: computed(() => (limit.value ? { short: refusalOf(limit.value), long: `${limit.value.message} ${limit.value.hint}` } : undefined)),
  }
}
