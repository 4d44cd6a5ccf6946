import { useQueryClient, type InfiniteData } from '@tanstack/vue-query'

import type { Image } from '@/domain/images'
import { replaced, withImage, without, type Page } from '@/domain/pages'

export interface ImageList {
  trashed: boolean
  search: string
}

/** The key that every list of images lives under. */
export function imageListKey(list: ImageList): [string, ImageList] {
  return ['images', list]
}

type Lists = InfiniteData<Page<Image>, string | null>

/** Changes every loaded list of images at once, so that no screen shows what another has just changed. */
export function useImageCache() {
  const client = useQueryClient()

  function edit(change: (pages: Page<Image>[], list: ImageList) => Page<Image>[]): void {
    for (const [key, data] of client.getQueriesData<Lists>({ queryKey: ['images'] })) {
      if (data) client.setQueryData<Lists>(key, { ...data, pages: change(data.pages, key[1] as ImageList) })
    }
  }

  return {
    /** A new picture: at the front of the plain list; a search has to ask again whether it matches. */
    add(image: Image): void {
      edit((pages, list) => (list.trashed || list.search ? pages : withImage(pages, image)))
      void client.invalidateQueries({
        queryKey: ['images'],
        predicate: ({ queryKey }) => (queryKey[1] as ImageList).search !== '',
      })
    },
    replace: (image: Image): void => edit((pages) => replaced(pages, image)),
    remove: (imageId: string): void => edit((pages) => without(pages, imageId)),
    refetch: (): Promise<void> => client.invalidateQueries({ queryKey: ['images'] }),
  }
}
