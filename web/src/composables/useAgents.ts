import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed } from 'vue'

import { decideAgent, listAgents } from '@/api/admin'
import type { AdminAgent, Standing } from '@/domain/agents'

import { useNotice } from './useNotice'

const REFRESH_MS = 3_000

/** The agents, asked for while they are looked at, and decisions about them. */
export function useAgents() {
  const client = useQueryClient()
  const notice = useNotice()
  const query = useQuery({ queryKey: ['agents'], queryFn: listAgents, refetchInterval: REFRESH_MS })

  async function decide(agent: AdminAgent, standing: Standing, reason: string): Promise<void> {
    try {
      await decideAgent(agent.id, standing, reason)
      await Promise.all([query.refetch(), client.invalidateQueries({ queryKey: ['status'] })])
    } catch (error) {
      notice.fail(error)
    }
  }

  return {
    agents: computed(() => query.data.value?.items ?? []),
    loaded: query.isSuccess,
    failure: query.error,
    decide,
  }
}
