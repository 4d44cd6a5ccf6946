import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'

import { listAccounts, listTiers, type AccountFilter } from '@/api/administration'

/** All accounts that fit what is looked for, and the tiers that they may have. */
export function useAccounts(filter: Ref<AccountFilter>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => ['accounts', filter.value]),
    queryFn: ({ pageParam }) => listAccounts(filter.value, pageParam ?? undefined),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    // The list stays while another one is looked for.
    placeholderData: keepPreviousData,
  })
  const tiers = useQuery({ queryKey: ['tiers'], queryFn: listTiers, staleTime: 60_000 })
  return {
    accounts: computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? []),
    tiers: computed(() => tiers.data.value ?? []),
    loaded: query.isSuccess,
    failure: query.error,
    hasMore: query.hasNextPage,
    more: () => void query.fetchNextPage(),
    refetch: () => query.refetch(),
  }
}
