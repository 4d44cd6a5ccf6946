import type { Link } from '@/domain/links'
import type { Page } from '@/domain/pages'

import { request } from './http'

/** One picture is linked to as such, several by a page that shows them. */
export function makeLink(ids: readonly string[], days: number): Promise<Link> {
  const what = ids.length === 1 ? { image: ids[0] } : { images: ids }
  return request({ method: 'POST', url: '/links', data: { ...what, days } })
}

/** The newest ones: every letter with pictures makes another. */
export async function listLinks(): Promise<Link[]> {
  return (await request<Page<Link>>({ url: '/links', params: { limit: 100 } })).items
}

export function revokeLink(id: string): Promise<unknown> {
  return request({ method: 'DELETE', url: `/links/${encodeURIComponent(id)}` })
}

export function revokeAllLinks(): Promise<unknown> {
  return request({ method: 'DELETE', url: '/links' })
}

/** From where this browser may download pictures as one file, for some minutes. */
export async function zipAddress(ids: readonly string[]): Promise<string> {
  const { url } = await request<{ url: string }>({ method: 'POST', url: '/images/zip/address', data: { ids } })
  return new URL(url).pathname // of this very server, by whatever name it was reached
}
