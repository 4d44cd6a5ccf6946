import type { AdminAgent, Standing } from '@/domain/agents'
import type { DeadLetter, WholeDeadLetter } from '@/domain/deadLetters'
import type { Job } from '@/domain/jobs'
import type { Page } from '@/domain/pages'

import { request } from './http'

export function listAgents(): Promise<Page<AdminAgent>> {
  return request({ url: '/admin/agents', params: { limit: 200 } })
}

/** `reason` is shown to those who wait. */
export function decideAgent(id: string, standing: Standing, reason: string): Promise<AdminAgent> {
  return request({ method: 'PATCH', url: `/admin/agents/${encodeURIComponent(id)}`, data: { standing, reason } })
}

export function listDeadLetters(cursor?: string): Promise<Page<DeadLetter>> {
  return request({ url: '/admin/dead-letters', params: { limit: 50, ...(cursor && { cursor }) } })
}

export function getDeadLetter(id: string): Promise<WholeDeadLetter> {
  return request({ url: pathOf(id) })
}

export function retryDeadLetter(id: string): Promise<Job> {
  return request({ method: 'POST', url: `${pathOf(id)}/retry`, data: {} })
}

export function discardDeadLetter(id: string): Promise<void> {
  return request({ method: 'DELETE', url: pathOf(id) })
}

function pathOf(id: string): string {
  return `/admin/dead-letters/${encodeURIComponent(id)}`
}
