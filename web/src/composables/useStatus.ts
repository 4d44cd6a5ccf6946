import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { getStatus } from '@/api/catalogue'
import { readiness, trouble } from '@/domain/status'

const CALM_MS = 15_000
const WAITING_MS = 2_000

/** How the service is: asked often while it starts, seldom once it is ready. */
export function useStatus() {
  const { data, isError } = useQuery({
    queryKey: ['status'],
    queryFn: getStatus,
    // The next question comes soon enough, and whether an answer came is itself the news.
    retry: false,
    refetchInterval: ({ state }) =>
      state.data && state.status === 'success' && readiness(state.data) === 'ready' ? CALM_MS : WAITING_MS,
  })
  return {
    status: data,
    unreachable: isError,
    readiness: computed(() => (data.value ? readiness(data.value) : null)),
    /** Why nobody can draw, where that is known. */
    trouble: computed(() => (data.value ? trouble(data.value) : '')),
  }
}
