import type { Checkpoint, Named } from '@/domain/catalogue'
import type { Page } from '@/domain/pages'
import type { Status } from '@/domain/status'

import { request } from './http'

export async function listCheckpoints(): Promise<Checkpoint[]> {
  return (await request<Page<Checkpoint>>({ url: '/checkpoints' })).items
}

export async function listSamplers(): Promise<Named[]> {
  return (await request<Page<Named>>({ url: '/samplers' })).items
}

export async function listSchedules(): Promise<Named[]> {
  return (await request<Page<Named>>({ url: '/schedules' })).items
}

export function getStatus(): Promise<Status> {
  return request({ url: '/status' })
}
