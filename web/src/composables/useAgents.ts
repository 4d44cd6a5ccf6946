import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed } from 'vue'

import { decideAgent, listAgents, lookAtAgent } from '@/api/admin'
import { standsAlike, type AdminAgent, type Standing } from '@/domain/agents'
import { ApiFailure, OVERTAKEN } from '@/domain/failures'

import { useNotice } from './useNotice'

const REFRESH_MS = 3_000

/** The agents, asked for while they are looked at, and decisions about them. */
export function useAgents() {
  const client = useQueryClient()
  const notice = useNotice()
  const query = useQuery({ queryKey: ['agents'], queryFn: listAgents, refetchInterval: REFRESH_MS })

  /** Rests on the agent as the list has shown it, which knows no ETags: so one is fetched, and what comes with it compared. */
  async function decide(shown: AdminAgent, standing: Standing, reason: string): Promise<void> {
    try {
      const { body: agent, etag } = await lookAtAgent(shown.id)
      if (!standsAlike(agent, shown)) throw new ApiFailure(OVERTAKEN)
      await decideAgent(agent.id, standing, reason, etag)
    } catch (error) {
      if (!notice.refuse(error)) return
    }
    await Promise.all([query.refetch(), client.invalidateQueries({ queryKey: ['status'] })])
  }

  return {
    agents: computed(() => query.data.value?.items ?? []),
    loaded: query.isSuccess,
    failure: query.error,
    decide,
  }
}
