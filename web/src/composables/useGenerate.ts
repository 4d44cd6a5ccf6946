import { computed, ref, watch } from 'vue'

import type { Draft } from '@/domain/drafts'
import { ApiFailure } from '@/domain/failures'
import { fieldOf, orderOf } from '@/domain/orders'
import { useDraft } from '@/stores/drafts'
import { useJobs } from '@/stores/jobs'

import { useNotice } from './useNotice'

export type FieldErrors = Partial<Record<keyof Draft, string>>

/** Orders what the draft says, and holds what the server found wrong with it until the field is changed. */
export function useGenerate() {
  const store = useDraft()
  const jobs = useJobs()
  const notice = useNotice()
  const submitting = ref(false)
  const errors = ref<FieldErrors>({})
  /** The key of an order whose answer was lost: sending it again must not order it twice. */
  let unanswered: { body: string; key: string } | null = null

  watch(
    () => ({ ...store.draft }),
    (draft, before) => {
      const changed = (Object.keys(draft) as (keyof Draft)[]).filter((field) => draft[field] !== before[field])
      errors.value = Object.fromEntries(
        Object.entries(errors.value).filter(([field]) => !changed.includes(field as keyof Draft)),
      )
    },
    { flush: 'sync' },
  )

  /** Whether an order went out. */
  async function generate(): Promise<boolean> {
    if (submitting.value) return false
    const order = orderOf(store.draft)
    if (!order.prompt) {
      errors.value = { prompt: 'Say what to draw.' }
      return false
    }
    const body = JSON.stringify(order)
    const key = unanswered?.body === body ? unanswered.key : orderKey()
    submitting.value = true
    errors.value = {}
    try {
      await jobs.submit(order, key)
      unanswered = null
      return true
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error
      unanswered = error.status === 0 ? { body, key } : null
      explain(error)
      return false
    } finally {
      submitting.value = false
    }
  }

  /** Beside the fields what has a field; in a notice what has none. */
  function explain(error: ApiFailure): void {
    const named = Object.entries(error.fields).map(([name, text]) => [fieldOf(name, store.draft), text] as const)
    errors.value = Object.fromEntries(named.filter(([field]) => field !== undefined))
    if (named.length === 0 || named.some(([field]) => field === undefined)) notice.fail(error)
  }

  return { submitting, errors, hasErrors: computed(() => Object.keys(errors.value).length > 0), generate }
}

/** A key for one order: 128 random bits as hex. Not randomUUID: a page over plain HTTP does not have it. */
export function orderKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
