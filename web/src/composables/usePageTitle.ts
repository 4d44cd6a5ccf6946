import { useTitle } from '@vueuse/core'
import { computed } from 'vue'
import { useRoute } from 'vue-router'

import { useJobs } from '@/stores/jobs'

/** The window's title: the screen, led by how far the work is, so that another tab can show it. */
export function usePageTitle(): void {
  const route = useRoute()
  const jobs = useJobs()
  useTitle(
    computed(() => {
      const progress = jobs.progress === null ? '' : `${Math.floor(jobs.progress * 100)} % · `
      const screen = typeof route.meta.title === 'string' ? `${route.meta.title} · ` : ''
      return `${progress}${screen}Stablehand`
    }),
  )
}
