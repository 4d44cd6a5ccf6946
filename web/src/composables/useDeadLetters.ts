import { useInfiniteQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { discardDeadLetter, listDeadLetters, retryDeadLetter } from '@/api/admin'
import type { DeadLetter } from '@/domain/deadLetters'

import { useNotice } from './useNotice'

const REFRESH_MS = 10_000

/** Pictures that failed for good, newest first, and what can be done about one. */
export function useDeadLetters() {
  const notice = useNotice()
  const query = useInfiniteQuery({
    queryKey: ['dead-letters'],
    queryFn: ({ pageParam }) => listDeadLetters(pageParam ?? undefined),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: REFRESH_MS,
  })

  async function retry(letter: DeadLetter): Promise<void> {
    await act(() => retryDeadLetter(letter.id), 'In the queue again')
  }

  async function discard(letter: DeadLetter): Promise<void> {
    await act(() => discardDeadLetter(letter.id), 'Discarded')
  }

  async function act(ask: () => Promise<unknown>, done: string): Promise<void> {
    try {
      await ask()
      notice.say(done)
    } catch (error) {
      notice.fail(error)
    }
    await query.refetch()
  }

  return {
    letters: computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? []),
    loaded: query.isSuccess,
    hasMore: query.hasNextPage,
    more: () => void query.fetchNextPage(),
    retry,
    discard,
  }
}
