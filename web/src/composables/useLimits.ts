import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { getLimits } from '@/api/limits'
import { limitFacts } from '@/domain/limits'

const EVERY_MS = 15_000

/** What the account may have, in short facts; none before they are known. */
export function useLimits() {
  const { data } = useQuery({ queryKey: ['limits'], queryFn: getLimits, retry: false, refetchInterval: EVERY_MS })
  return { facts: computed(() => (data.value ? limitFacts(data.value) : [])) }
}
