import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { listCheckpoints, listSamplers, listSchedules } from '@/api/catalogue'
import { chosenCheckpoint, nativeSize } from '@/domain/catalogue'
import { useDraft } from '@/stores/drafts'

/** What can be chosen, and what the draft has chosen of it. */
export function useCatalogue() {
  const store = useDraft()
  const checkpoints = useQuery({ queryKey: ['checkpoints'], queryFn: listCheckpoints, staleTime: 30_000 })
  const samplers = useQuery({ queryKey: ['samplers'], queryFn: listSamplers, staleTime: Infinity })
  const schedules = useQuery({ queryKey: ['schedules'], queryFn: listSchedules, staleTime: Infinity })

  const checkpoint = computed(() => chosenCheckpoint(checkpoints.data.value ?? [], store.draft.checkpoint))
  return {
    checkpoints: computed(() => checkpoints.data.value ?? []),
    samplers: computed(() => samplers.data.value?.map((sampler) => sampler.name) ?? []),
    schedules: computed(() => schedules.data.value?.map((schedule) => schedule.name) ?? []),
    /** The checkpoint that the draft means. */
    checkpoint,
    native: computed(() => nativeSize(checkpoint.value)),
  }
}
