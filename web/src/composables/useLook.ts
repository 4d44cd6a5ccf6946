import { ref } from 'vue'

import type { Tagged } from '@/api/http'

import { useNotice } from './useNotice'

/** What an edit rests on: the thing as it was when it was looked at, so that nobody else's edit is overwritten unseen.

The list that a form was opened from may be old: `take` is given the thing as it is now. */
export function useLook<T extends { id: string }>(known: () => T | null, look: (id: string) => Promise<Tagged<T>>, take: (body: T) => void) {
  const { fail } = useNotice()
  const etag = ref('')

  async function load(): Promise<void> {
    const id = known()?.id
    if (id === undefined) return
    try {
      const { body, etag: tag } = await look(id)
      if (known()?.id !== id) return
      etag.value = tag
      take(body)
    } catch (error) {
      fail(error)
    }
  }

  return { etag, load }
}
