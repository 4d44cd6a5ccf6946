import type { AdminAgent, Standing } from '@/domain/agents'
import type { DeadLetter, WholeDeadLetter } from '@/domain/deadLetters'
import type { Job } from '@/domain/jobs'
import type { Page } from '@/domain/pages'

import { request, requestTagged, restingOn, type Tagged } from './http'

export function listAgents(): Promise<Page<AdminAgent>> {
  return request({ url: '/admin/agents', params: { limit: 200 } })
}

export function lookAtAgent(id: string): Promise<Tagged<AdminAgent>> {
  return requestTagged({ url: agentPath(id) })
}

/** `reason` is shown to those who wait. `etag`: what it was like when it was looked at; empty: whatever it is like now. */
export function decideAgent(id: string, standing: Standing, reason: string, etag: string): Promise<AdminAgent> {
  return request({ method: 'PATCH', url: agentPath(id), data: { standing, reason }, headers: restingOn(etag) })
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

function agentPath(id: string): string {
  return `/admin/agents/${encodeURIComponent(id)}`
}

function pathOf(id: string): string {
  return `/admin/dead-letters/${encodeURIComponent(id)}`
}
