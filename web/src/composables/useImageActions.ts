import { useClipboard } from '@vueuse/core'
import { useRouter } from 'vue-router'

import * as api from '@/api/images'
import type { Image } from '@/domain/images'
import { upscaleOrder } from '@/domain/orders'
import type { Recipe } from '@/domain/recipes'
import { useDraft } from '@/stores/drafts'
import { useJobs } from '@/stores/jobs'

import { orderKey } from './useGenerate'
import { useImageCache } from './useImageCache'
import { useNotice } from './useNotice'

/** What can be done with a delivered picture, wherever it is shown. */
export function useImageActions() {
  const cache = useImageCache()
  const jobs = useJobs()
  const draft = useDraft()
  const router = useRouter()
  const notice = useNotice()
  // Legacy: a page over plain HTTP in a local network has no clipboard API.
  const clipboard = useClipboard({ legacy: true })

  async function trash(image: Image): Promise<void> {
    cache.remove(image.id)
    jobs.apply({ type: 'gone', imageId: image.id })
    try {
      await api.trashImage(image.id)
      notice.offerUndo('Moved to the trash', () => void restore(image))
    } catch (error) {
      jobs.apply({ type: 'image', image })
      void cache.refetch()
      notice.fail(error)
    }
  }

  async function restore(image: Image): Promise<void> {
    try {
      const restored = await api.restoreImage(image.id)
      jobs.apply({ type: 'image', image: restored })
      await cache.refetch()
      notice.say('Back in the gallery')
    } catch (error) {
      notice.fail(error)
    }
  }

  async function star(image: Image): Promise<void> {
    show({ ...image, starred: !image.starred })
    try {
      show(await api.starImage(image.id, !image.starred))
    } catch (error) {
      show(image)
      notice.fail(error)
    }
  }

  function show(image: Image): void {
    cache.replace(image)
    jobs.apply({ type: 'image', image })
  }

  async function copy(text: string, what: string): Promise<void> {
    await clipboard.copy(text)
    notice.say(`${what} copied`)
  }

  function download(image: Image): void {
    const link = document.createElement('a')
    link.href = api.downloadUrl(image.id)
    link.download = ''
    link.click()
  }

  /** Takes a picture's parameters over into the form and goes there. */
  async function reuse(recipe: Recipe): Promise<void> {
    draft.use(recipe)
    await router.push({ name: 'create' })
  }

  /** Makes a picture what the next one starts from, at about `native`² pixels, and goes to the form. */
  async function startFrom(image: Image, native: number): Promise<void> {
    draft.startFrom(image, native)
    await router.push({ name: 'create' })
  }

  /** Orders a larger version of a picture, and goes to where it can be watched. Returns whether it was accepted. */
  async function upscale(image: Image, scale: number, upscaler: string): Promise<boolean> {
    try {
      await jobs.submit(upscaleOrder({ id: image.id, prompt: image.recipe.prompt }, scale, upscaler), orderKey())
    } catch (error) {
      notice.fail(error)
      return false
    }
    await router.push({ name: 'create' })
    return true
  }

  function reuseSeed(seed: string): void {
    draft.draft.seed = seed
    notice.say('Seed taken over')
  }

  return { trash, restore, star, copy, download, reuse, startFrom, upscale, reuseSeed }
}
