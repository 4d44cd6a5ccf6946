import type { Input, Source } from '@/domain/sources'

import { addressOf, request } from './http'
import { fileUrl } from './images'

/** Brings a picture or a mask to the server, which keeps it for a day after its last use. */
export function uploadInput(picture: Blob): Promise<Input> {
  return request({
    method: 'POST',
    url: '/inputs',
    data: picture,
    headers: { 'Content-Type': picture.type || 'application/octet-stream' },
    timeout: UPLOAD_MS,
  })
}

/** A photograph over a slow line takes its time. */
const UPLOAD_MS = 300_000

export function inputUrl(id: string): string {
  return addressOf(`/inputs/${encodeURIComponent(id)}/file`)
}

export function sourceUrl(source: Source): string {
  return source.from === 'image' ? fileUrl(source.id) : inputUrl(source.id)
}
