import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { listCheckpoints, listSamplers, listSchedules, listUpscalers } from '@/api/catalogue'
import { chosenCheckpoint, defaultsOf, nativeSize, refinersFor } from '@/domain/catalogue'
import { useDraft } from '@/stores/drafts'

const CHECKPOINTS_MS = 15_000

/** What can be chosen, and what the draft has chosen of it. */
export function useCatalogue() {
  const store = useDraft()
  // Asked for again and again: a file that is dropped into the models folder is there without a reload.
  const checkpoints = useQuery({
    queryKey: ['checkpoints'],
    queryFn: listCheckpoints,
    staleTime: 5_000,
    refetchInterval: CHECKPOINTS_MS,
  })
  const samplers = useQuery({ queryKey: ['samplers'], queryFn: listSamplers, staleTime: Infinity })
  const schedules = useQuery({ queryKey: ['schedules'], queryFn: listSchedules, staleTime: Infinity })

  // Networks are files as well.
  const upscalers = useQuery({ queryKey: ['upscalers'], queryFn: listUpscalers, staleTime: CHECKPOINTS_MS })

  const checkpoint = computed(() => chosenCheckpoint(checkpoints.data.value ?? [], store.draft.checkpoint))
  return {
    checkpoints: computed(() => checkpoints.data.value ?? []),
    samplers: computed(() => samplers.data.value?.map((sampler) => sampler.name) ?? []),
    schedules: computed(() => schedules.data.value?.map((schedule) => schedule.name) ?? []),
    upscalers: computed(() => upscalers.data.value ?? []),
    /** Whether the server has said which checkpoints there are, or that it cannot. */
    isKnown: checkpoints.isFetched,
    /** Those made to take over in the middle of a picture of the chosen one. */
    refiners: computed(() => refinersFor(checkpoints.data.value ?? [], checkpoint.value)),
    /** The checkpoint that the draft means. */
    checkpoint,
    native: computed(() => nativeSize(checkpoint.value)),
    defaults: computed(() => defaultsOf(checkpoint.value)),
  }
}
