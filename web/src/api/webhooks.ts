import type { Page } from '@/domain/pages'
import type { Dispatch, DispatchState, DispatchWhole, NewWebhook, Webhook, WebhookChange, WebhookPage } from '@/domain/webhooks'

import { request, requestTagged, restingOn, type Tagged } from './http'

export function listWebhooks(): Promise<WebhookPage> {
  return request({ url: '/webhooks', params: { limit: 200 } })
}

export function makeWebhook(webhook: Required<WebhookChange>): Promise<NewWebhook> {
  return request({ method: 'POST', url: '/webhooks', data: webhook })
}

export function lookAtWebhook(id: string): Promise<Tagged<Webhook>> {
  return requestTagged({ url: `/webhooks/${id}` })
}

/** `etag`: what it was like when it was looked at; empty: whatever it is like now. */
export function changeWebhook(id: string, change: WebhookChange, etag: string): Promise<Webhook> {
  return request({ method: 'PATCH', url: `/webhooks/${id}`, data: change, headers: restingOn(etag) })
}

export function deleteWebhook(id: string, etag: string): Promise<unknown> {
  return request({ method: 'DELETE', url: `/webhooks/${id}`, headers: restingOn(etag) })
}

export function tellWebhook(id: string, verb: 'ping' | 'pause' | 'resume'): Promise<unknown> {
  return request({ method: 'POST', url: `/webhooks/${id}/${verb}`, data: {} })
}

export async function rotateSecret(id: string): Promise<string> {
  return (await request<{ secret: string }>({ method: 'POST', url: `/webhooks/${id}/rotate`, data: {} })).secret
}

export async function redeliverFailed(id: string): Promise<number> {
  return (await request<{ redelivered: number }>({ method: 'POST', url: `/webhooks/${id}/redeliver`, data: {} })).redelivered
}

/** Of addresses that jobs bring along. */
export async function readOwnSecret(): Promise<string> {
  return (await request<{ secret: string }>({ url: '/webhooks/secret' })).secret
}

export async function rotateOwnSecret(): Promise<string> {
  return (await request<{ secret: string }>({ method: 'POST', url: '/webhooks/secret/rotate', data: {} })).secret
}

/** `webhook`: its id; null: of the addresses that jobs brought along. */
export function listDispatches(webhook: string | null, state: DispatchState | undefined, cursor: string | undefined): Promise<Page<Dispatch>> {
  return request({ url: '/dispatches', params: { ...(webhook === null ? { brought: true } : { webhook }), state, cursor, limit: 20 } })
}

export function readDispatch(id: string): Promise<DispatchWhole> {
  return request({ url: `/dispatches/${id}` })
}

export function redeliver(id: string): Promise<unknown> {
  return request({ method: 'POST', url: `/dispatches/${id}/redeliver`, data: {} })
}
