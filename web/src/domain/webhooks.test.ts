import { expect, it } from 'vitest'

import { eventWords, standingOf, troubleOf, type Dispatch, type Webhook } from './webhooks'

const webhook: Webhook = {
  id: 'w', url: 'https://example.org/hook', types: ['job.finished'], description: '', state: 'active', reason: '', created_at: '2026-01-01T00:00:00Z',
  failing_since: null, last_arrived_at: null, rotated_at: null, waiting: 0, dead: 0,
}
const dispatch: Dispatch = {
  id: 'd', notice_id: 'n', channel: 'webhook', webhook_id: 'w', url: null, type: 'job.finished', job_id: 'j', state: 'waiting', tries: 0, status: null,
  error: '', created_at: '2026-01-01T00:00:00Z', next_try_at: '2026-01-01T00:00:00Z', ended_at: null,
}

it('says nothing of a webhook that works, and what to do about one that does not', () => {
  expect(troubleOf(webhook)).toBeNull()
  expect(troubleOf({ ...webhook, state: 'disabled', reason: 'It answered 410 Gone.' })).toMatch(/^It answered 410 Gone\. .*resume it/)
  expect(troubleOf({ ...webhook, state: 'failing', failing_since: '2026-01-02T10:00:00Z' })).toContain('2026')
  expect(troubleOf({ ...webhook, state: 'paused' })).toContain('kept')
})

it('says how far a dispatch is', () => {
  expect(standingOf(dispatch)).toBe('On its way')
  expect(standingOf({ ...dispatch, tries: 2 })).toMatch(/^Next try .*2026/)
  expect(standingOf({ ...dispatch, state: 'arrived', status: 204 })).toBe('Arrived (204)')
  expect(standingOf({ ...dispatch, state: 'dead' })).toBe('Given up')
  expect(standingOf({ ...dispatch, state: 'held' })).toBe('Kept until you resume')
})

it('calls what it does not know as the server does', () => {
  expect(eventWords('job.finished')).toBe('A job has ended')
  expect(eventWords('moon.rose')).toBe('moon.rose')
})
