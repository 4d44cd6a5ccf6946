import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'

import { listAudit } from '@/api/administration'

const REFRESH_MS = 15_000

/** What was done, the newest first. `action`: its beginning; empty: everything. */
export function useAudit(action: Ref<string>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => ['audit', action.value]),
    queryFn: ({ pageParam }) => listAudit(action.value, pageParam ?? undefined),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })
  return {
    lines: computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? []),
    loaded: query.isSuccess,
    failure: query.error,
    hasMore: query.hasNextPage,
    more: () => void query.fetchNextPage(),
  }
}
