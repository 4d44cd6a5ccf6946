import { ref } from 'vue'

import { ApiFailure } from '@/domain/failures'

/** A form on its way: what is being sent, what was refused, and which field it was about. */
export function useSending() {
  const busy = ref(false)
  const refusal = ref<ApiFailure | null>(null)

  /** True when it was taken. */
  async function send(what: () => Promise<unknown>): Promise<boolean> {
    busy.value = true
    refusal.value = null
    try {
      await what()
      return true
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error
      refusal.value = error
      return false
    } finally {
      busy.value = false
    }
  }

  function wrong(field: string): string | undefined {
    return refusal.value?.fields[field]
  }

  return { busy, refusal, send, wrong }
}
