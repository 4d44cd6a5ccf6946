/** The draft in the form, kept in this browser between visits. */

import { useLocalStorage } from '@vueuse/core'
import { defineStore } from 'pinia'

import { defaultsOf, nativeSize, type Checkpoint } from '@/domain/catalogue'
import { draftFrom, draftOf, filled, FRESH_DRAFT, moved, resized, restoreDraft, withSource, type Draft } from '@/domain/drafts'
import type { Image } from '@/domain/images'
import type { Recipe } from '@/domain/recipes'
import { sizeFor, sizeLike, SHAPES } from '@/domain/sizes'
import type { Input } from '@/domain/sources'

export const useDraft = defineStore('draft', () => {
  const draft = useLocalStorage<Draft>('stablehand-draft', { ...FRESH_DRAFT }, {
    serializer: { read: readStored, write: JSON.stringify },
    // Two tabs are two drafts: what is typed in one must not change the form of the other.
    listenToStorageChanges: false,
  })

  /** Takes over every parameter of a picture, its seed included. */
  function use(recipe: Recipe): void {
    draft.value = draftOf(recipe, draft.value)
  }

  /** Makes a picture of the gallery what the next one starts from. */
  function startFrom(image: Image, native: number): void {
    draft.value = draftFrom(image.recipe, { id: image.id, from: 'image' }, sizeLike(image, native), draft.value)
  }

  /** Starts from a picture that was brought, at its proportions. */
  function startFromInput(input: Input, native: number): void {
    draft.value = { ...draft.value, ...withSource({ id: input.id, from: 'input' }, sizeLike(input, native)) }
  }

  /** Back to words alone. */
  function dropSource(native: number): void {
    draft.value = { ...draft.value, ...withSource(null, sizeFor(SHAPES[0], native)) }
  }

  /** Chooses a checkpoint: the shape stays, at its native size, and so do settings other than the former one's defaults. */
  function choose(checkpoint: Checkpoint | undefined, before: Checkpoint | undefined): void {
    const { width, height } = draft.value
    const native = nativeSize(before)
    const size = resized({ width: width ?? native, height: height ?? native }, native, nativeSize(checkpoint))
    const settings = moved(draft.value, defaultsOf(before), defaultsOf(checkpoint))
    draft.value = { ...draft.value, ...size, ...settings, checkpoint: checkpoint?.name ?? null }
  }

  /** Fills the numbers that nobody has set. */
  function fill(checkpoint: Checkpoint): void {
    Object.assign(draft.value, filled(draft.value, checkpoint.native_size, checkpoint.defaults))
  }

  /** Back to the defaults; the words stay, and what they start from. */
  function reset(): void {
    const { prompt, negativePrompt, source, mask, mail } = draft.value
    draft.value = { ...FRESH_DRAFT, prompt, negativePrompt, source, mask, mail }
  }

  return { draft, use, startFrom, startFromInput, dropSource, choose, fill, reset }
})

function readStored(text: string): Draft {
  try {
    return restoreDraft(JSON.parse(text))
  } catch {
    // Half-written or foreign text under our key: begin afresh, as on a first visit.
    return { ...FRESH_DRAFT }
  }
}
