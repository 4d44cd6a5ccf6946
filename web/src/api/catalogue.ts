import type { Checkpoint, Named, Upscaler } from '@/domain/catalogue'
import type { Page } from '@/domain/pages'
import type { Status } from '@/domain/status'

import { request } from './http'

/** Every item of a list that is short enough to show whole. */
export async function everything<T>(url: string, asked: object = {}): Promise<T[]> {
  const items: T[] = []
  let cursor: string | null = null
  do {
    const page: Page<T> = await request<Page<T>>({ url, params: { limit: 200, ...asked, ...(cursor && { cursor }) } })
    items.push(...page.items)
    cursor = page.next_cursor
  } while (cursor)
  return items
}

export function listCheckpoints(): Promise<Checkpoint[]> {
  return everything('/checkpoints')
}

export function listSamplers(): Promise<Named[]> {
  return everything('/samplers')
}

export function listSchedules(): Promise<Named[]> {
  return everything('/schedules')
}

export function listUpscalers(): Promise<Upscaler[]> {
  return everything('/upscalers')
}

export function getStatus(): Promise<Status> {
  return request({ url: '/status' })
}
