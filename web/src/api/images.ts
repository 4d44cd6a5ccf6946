import type { Image, ImageDetail } from '@/domain/images'
import type { Page } from '@/domain/pages'

import { addressOf, request } from './http'

export interface ImageQuery {
  limit: number
  cursor?: string
  trashed?: boolean
  search?: string
}

export function listImages(query: ImageQuery): Promise<Page<Image>> {
  return request({ url: '/images', params: query })
}

export function getImage(id: string): Promise<ImageDetail> {
  return request({ url: pathOf(id) })
}

export function trashImage(id: string): Promise<void> {
  return request({ method: 'DELETE', url: pathOf(id) })
}

export function restoreImage(id: string): Promise<Image> {
  return request({ method: 'POST', url: `${pathOf(id)}/restore`, data: {} })
}

export function starImage(id: string, starred: boolean): Promise<Image> {
  return request({ method: 'PATCH', url: pathOf(id), data: { starred } })
}

export function fileUrl(id: string): string {
  return addressOf(`${pathOf(id)}/file`)
}

export function downloadUrl(id: string): string {
  return addressOf(`${pathOf(id)}/file?download=1`)
}

export function thumbnailUrl(id: string): string {
  return addressOf(`${pathOf(id)}/thumbnail`)
}

function pathOf(id: string): string {
  return `/images/${encodeURIComponent(id)}`
}
