import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'

import { listImages } from '@/api/images'
import { allItems } from '@/domain/pages'

import { imageListKey, type ImageList } from './useImageCache'

const PAGE = 60

/** An endless list of images, newest first. */
export function useImages(list: MaybeRefOrGetter<ImageList>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => imageListKey(toValue(list))),
    queryFn: ({ pageParam }) => {
      const { trashed, search } = toValue(list)
      return listImages({
        limit: PAGE,
        cursor: pageParam ?? undefined,
        trashed: trashed || undefined,
        search: search || undefined,
      })
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  })

  function loadMore(): void {
    if (query.hasNextPage.value && !query.isFetchingNextPage.value) void query.fetchNextPage()
  }

  return {
    images: computed(() => allItems(query.data.value?.pages ?? [])),
    loaded: query.isSuccess,
    failed: query.isError,
    failure: query.error,
    hasMore: query.hasNextPage,
    loadingMore: query.isFetchingNextPage,
    retry: query.refetch,
    loadMore,
  }
}
