/** The draft in the form, kept in this browser between visits. */

import { useLocalStorage } from '@vueuse/core'
import { defineStore } from 'pinia'

import { draftOf, FRESH_DRAFT, resized, restoreDraft, type Draft } from '@/domain/drafts'
import type { Recipe } from '@/domain/recipes'

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

  /** Chooses a checkpoint; the shape stays, at the new one's native size. */
  function choose(checkpoint: string | null, before: number, after: number): void {
    const { width, height } = draft.value
    const size = resized({ width: width ?? before, height: height ?? before }, before, after)
    draft.value = { ...draft.value, ...size, checkpoint }
  }

  /** Back to the defaults; the words stay. */
  function reset(): void {
    const { prompt, negativePrompt } = draft.value
    draft.value = { ...FRESH_DRAFT, prompt, negativePrompt }
  }

  return { draft, use, choose, reset }
})

function readStored(text: string): Draft {
  try {
    return restoreDraft(JSON.parse(text))
  } catch {
    // Half-written or foreign text under our key: begin afresh, as on a first visit.
    return { ...FRESH_DRAFT }
  }
}
