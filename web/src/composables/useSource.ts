import { until } from '@vueuse/core'
import { computed, ref } from 'vue'

import { sourceUrl, uploadInput } from '@/api/inputs'
import { ApiFailure } from '@/domain/failures'
import { pictureAmong } from '@/domain/sources'
import { useDraft } from '@/stores/drafts'

import { useCatalogue } from './useCatalogue'
import { useNotice } from './useNotice'

/** The picture that the draft starts from, and the mask over it: bringing them, and letting them go. */
export function useSource() {
  const store = useDraft()
  const notice = useNotice()
  const { native, isKnown } = useCatalogue()
  /** A picture or a mask is on its way to the server. */
  const uploading = ref(false)
  let latest = 0

  /** Starts from the first picture among these files. Of two brought in a row the second counts. */
  async function bring(files: Iterable<File>): Promise<void> {
    const picture = pictureAmong(files)
    if (!picture) {
      notice.fail(new ApiFailure({ ...NO_PICTURE, status: 0 }))
      return
    }
    const mine = ++latest
    const input = await sent(picture)
    await until(isKnown).toBe(true) // its size depends on the checkpoint's
    if (input && mine === latest) store.startFromInput(input, native.value)
  }

  /** Keeps a painted mask. Returns whether it arrived. */
  async function keepMask(mask: Blob | null): Promise<boolean> {
    if (!mask) {
      store.draft.mask = null
      return true
    }
    const input = await sent(mask)
    if (input) store.draft.mask = input.id
    return input !== null
  }

  async function sent(picture: Blob) {
    uploading.value = true
    try {
      return await uploadInput(picture)
    } catch (error) {
      notice.fail(error)
      return null
    } finally {
      uploading.value = false
    }
  }

  function drop(): void {
    latest += 1
    store.dropSource(native.value)
  }

  return {
    uploading,
    url: computed(() => (store.draft.source ? sourceUrl(store.draft.source) : null)),
    bring,
    keepMask,
    drop,
  }
}

const NO_PICTURE = { code: 'no_picture', message: 'There is no picture in that.', hint: 'PNG, JPEG and WebP can be used.' }
