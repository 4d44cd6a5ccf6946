// @vitest-environment happy-dom
import { flushPromises, mount } from '@vue/test-utils'
import { beforeEach, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'

import { deleteWebhook, lookAtWebhook } from '@/api/webhooks'
import { ApiFailure, OVERTAKEN } from '@/domain/failures'
import type { Webhook } from '@/domain/webhooks'

import WebhookCard from './WebhookCard.vue'

vi.mock('@/api/webhooks')
vi.mock('@nuxt/ui/composables', () => ({ useToast: () => ({ add: vi.fn() }) }))

const webhook: Webhook = {
  id: 'w', url: 'https://example.org/hook', types: ['job.finished'], description: 'mine', state: 'active', reason: '',
  created_at: '2026-01-01T00:00:00Z', failing_since: null, last_arrived_at: null, rotated_at: null, waiting: 0, dead: 0,
}

function show() {
  const card = mount(WebhookCard, {
    props: { webhook, now: new Date('2026-01-02T00:00:00Z') },
    global: { plugins: [createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: {} }] })] },
  })
  return { card, press: async (label: string) => {
    await card.findAll('button').find((button) => button.text() === label)?.trigger('click')
    await flushPromises()
  } }
}

beforeEach(() => {
  vi.mocked(deleteWebhook).mockReset().mockResolvedValue(undefined)
  vi.mocked(lookAtWebhook).mockReset().mockResolvedValue({ body: webhook, etag: '"1.2"' })
})

it('deletes what it shows', async () => {
  const { card, press } = show()
  await press('Delete…')
  expect(card.emitted('changed')).toHaveLength(1)
  await press('Delete it')
  expect(deleteWebhook).toHaveBeenCalledExactlyOnceWith('w', '"1.2"')
  expect(card.emitted('changed')).toHaveLength(2)
  expect(card.text()).not.toContain('Delete it with its log?')
})

it('does not delete what somebody else has changed meanwhile until that was seen', async () => {
  vi.mocked(deleteWebhook).mockRejectedValueOnce(new ApiFailure(OVERTAKEN))
  const { card, press } = show()
  await press('Delete…')
  await press('Delete it')
  expect(card.text()).toContain(OVERTAKEN.message)
  vi.mocked(lookAtWebhook).mockResolvedValue({ body: { ...webhook, description: 'ours' }, etag: '"3.4"' })
  await press('Load again')
  expect(card.text()).not.toContain(OVERTAKEN.message)
  expect(card.emitted('changed')).toHaveLength(2)
  await press('Delete it')
  expect(deleteWebhook).toHaveBeenLastCalledWith('w', '"3.4"')
})
