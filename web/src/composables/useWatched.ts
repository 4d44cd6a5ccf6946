import { onScopeDispose, watch, type Ref } from 'vue'

import { useLiveLine } from '@/stores/live'

/** Asks for the forming pictures of these jobs for as long as they are on screen. */
export function useWatched(jobIds: Ref<readonly string[]>): void {
  const live = useLiveLine()
  let watched: readonly string[] = []

  function change(wanted: readonly string[]): void {
    for (const id of wanted) if (!watched.includes(id)) live.watch(id)
    for (const id of watched) if (!wanted.includes(id)) live.unwatch(id)
    watched = [...wanted]
  }

  watch(jobIds, change, { immediate: true })
  onScopeDispose(() => change([]))
}
