import { useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'

import { listDispatches } from '@/api/webhooks'
import { allItems } from '@/domain/pages'

/** Somebody looks at it, mostly to see a test arrive. */
const REFRESH_MS = 2_000

/** What was sent to one webhook, newest first; null: to addresses that jobs brought along. */
export function useDispatches(webhook: Ref<string | null>, failedOnly: Ref<boolean>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => ['dispatches', webhook.value, failedOnly.value]),
    queryFn: ({ pageParam }) => listDispatches(webhook.value, failedOnly.value ? 'dead' : undefined, pageParam ?? undefined),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: REFRESH_MS,
  })
  return {
    dispatches: computed(() => allItems(query.data.value?.pages ?? [])),
    loaded: query.isSuccess,
    hasMore: query.hasNextPage,
    more: () => void query.fetchNextPage(),
    reread: () => query.refetch(),
  }
}
