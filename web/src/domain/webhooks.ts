/** Webhooks of this account, and what was sent to them. */

import type { Page } from './pages'

export type WebhookState = 'active' | 'failing' | 'paused' | 'disabled'
export type DispatchState = 'waiting' | 'held' | 'arrived' | 'dead'

export interface Webhook {
  id: string
  url: string
  types: string[]
  description: string
  state: WebhookState
  reason: string
  created_at: string
  failing_since: string | null
  last_arrived_at: string | null
  rotated_at: string | null
  waiting: number
  dead: number
}

export interface NewWebhook extends Webhook {
  secret: string
}

export interface WebhookPage extends Page<Webhook> {
  types: string[]
  at_most: number
}

export type WebhookChange = Partial<Pick<Webhook, 'url' | 'types' | 'description'>>

export interface Dispatch {
  id: string
  notice_id: string
  channel: string
  webhook_id: string | null
  url: string | null
  type: string
  job_id: string | null
  state: DispatchState
  tries: number
  status: number | null
  error: string
  created_at: string
  next_try_at: string | null
  ended_at: string | null
}

export interface DispatchTry {
  tried_at: string
  milliseconds: number
  status: number | null
  error: string
  answer: string
}

export interface DispatchWhole extends Dispatch {
  attempts: DispatchTry[]
}

export const USUAL_TYPES: readonly string[] = ['job.finished']

const TYPES: Record<string, string> = {
  'job.submitted': 'A job was ordered',
  'image.delivered': 'A picture is ready',
  'job.finished': 'A job has ended',
  'quota.reached': 'A limit is reached',
  'webhook.disabled': 'A webhook was turned off',
  'webhook.ping': 'A test',
}

/** What happened, in words; one that is newer than this page is told as it is called. */
export function eventWords(type: string): string {
  return TYPES[type] ?? type
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** How a webhook stands, in a sentence; none while all is well. */
export function troubleOf(webhook: Webhook): string | null {
  switch (webhook.state) {
    case 'disabled':
      return `${webhook.reason} Nothing is sent there any more. When it works again, resume it and send what failed again.`
    case 'paused':
      return 'Nothing is sent for now. What happens meanwhile is kept and sent when you resume it.'
    case 'failing':
      return `Nothing has arrived since ${clock.format(new Date(webhook.failing_since ?? webhook.created_at))}. It is tried again for three days.`
    case 'active':
      return null
  }
}

/** How far one dispatch is. */
export function standingOf(dispatch: Dispatch): string {
  const answer = dispatch.status === null ? '' : ` (${dispatch.status})`
  switch (dispatch.state) {
    case 'arrived':
      return `Arrived${answer}`
    case 'dead':
      return `Given up${answer}`
    case 'held':
      return 'Kept until you resume'
    case 'waiting':
      if (!dispatch.tries || !dispatch.next_try_at) return 'On its way'
      return `Next try ${clock.format(new Date(dispatch.next_try_at))}`
  }
}
