import type { JobOrder } from '@/domain/orders'
import type { Job } from '@/domain/jobs'
import type { Place } from '@/domain/line'
import type { Page } from '@/domain/pages'

import { request } from './http'

/** The key makes a second sending of the same order, after a lost answer, harmless. */
export function submitJob(order: JobOrder, idempotencyKey: string): Promise<Job> {
  return request({ method: 'POST', url: '/jobs', data: order, headers: { 'Idempotency-Key': idempotencyKey } })
}

/** Newest first, without their shots and with their first images only: {@link getJob} tells all of one. */
export function listJobs(query: { limit: number; cursor?: string; state?: string }): Promise<Page<Job>> {
  return request({ url: '/jobs', params: query })
}

export function getJob(id: string): Promise<Job> {
  return request({ url: `/jobs/${encodeURIComponent(id)}` })
}

export function cancelJob(id: string): Promise<Job> {
  return request({ method: 'DELETE', url: `/jobs/${encodeURIComponent(id)}` })
}

export function retryJob(id: string): Promise<Job> {
  return request({ method: 'POST', url: `/jobs/${encodeURIComponent(id)}/retry`, data: {} })
}

export function moveJob(id: string, place: Place): Promise<Job> {
  return request({ method: 'POST', url: `/jobs/${encodeURIComponent(id)}/move`, data: place })
}
