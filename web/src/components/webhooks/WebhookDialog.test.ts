// @vitest-environment happy-dom
import { flushPromises, mount } from '@vue/test-utils'
import { beforeEach, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'

import { changeWebhook, lookAtWebhook, makeWebhook } from '@/api/webhooks'
import { ApiFailure } from '@/domain/failures'
import type { NewWebhook, Webhook } from '@/domain/webhooks'

import WebhookDialog from './WebhookDialog.vue'

vi.mock('@/api/webhooks')
vi.mock('@nuxt/ui/composables', () => ({ useToast: () => ({ add: vi.fn() }) }))

const webhook: Webhook = {
  id: 'w', url: 'https://example.org/hook', types: ['job.finished'], description: 'mine', state: 'active', reason: '',
  created_at: '2026-01-01T00:00:00Z', failing_since: null, last_arrived_at: null, rotated_at: null, waiting: 0, dead: 0,
}
const made: NewWebhook = { ...webhook, secret: 'whsec_x' }

/** The dialog without its window. */
async function open(known: Webhook | null) {
  const dialog = mount(WebhookDialog, {
    props: { types: ['job.submitted', 'job.finished'], webhook: known, modelValue: false },
    global: {
      plugins: [createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: {} }] })],
      stubs: { UModal: { template: '<div><slot name="body" /><slot name="footer" /></div>' } },
    },
  })
  await dialog.setProps({ modelValue: true })
  await flushPromises()
  return dialog
}

beforeEach(() => {
  vi.mocked(makeWebhook).mockReset().mockResolvedValue(made)
  vi.mocked(changeWebhook).mockReset().mockResolvedValue(webhook)
  vi.mocked(lookAtWebhook).mockReset().mockResolvedValue({ body: webhook, etag: '"1.2"' })
})

it('adds one that is told of ends, unless something else is chosen', async () => {
  const dialog = await open(null)
  await dialog.get('input[name="url"]').setValue(' https://example.org/hook ')
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(makeWebhook).toHaveBeenCalledWith({ url: 'https://example.org/hook', description: '', types: ['job.finished'] })
  expect(dialog.emitted('made')).toEqual([[made]])
  expect(dialog.emitted('update:modelValue')).toEqual([[false]])
})

it('changes the one that it was opened for', async () => {
  const dialog = await open(webhook)
  await dialog.get('input[name="description"]').setValue('yours')
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(changeWebhook).toHaveBeenCalledWith('w', { url: webhook.url, description: 'yours', types: ['job.finished'] }, '"1.2"')
  expect(makeWebhook).not.toHaveBeenCalled()
})

it('stays open and says at the field what the server refuses', async () => {
  vi.mocked(makeWebhook).mockRejectedValue(
    new ApiFailure({ status: 422, code: 'invalid_fields', message: 'Not valid: url.', hint: '', fields: { url: 'an address that begins with https://' } }),
  )
  const dialog = await open(null)
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(dialog.text()).toContain('begins with https://')
  expect(dialog.emitted('update:modelValue')).toBeUndefined()
})

it('begins with the webhook as it is now, not as the list had it', async () => {
  vi.mocked(lookAtWebhook).mockResolvedValue({ body: { ...webhook, description: 'ours' }, etag: '"3.4"' })
  const dialog = await open(webhook)
  expect(dialog.get<HTMLInputElement>('input[name="description"]').element.value).toBe('ours')
})

it('offers to load again what was changed meanwhile, and goes on from there', async () => {
  vi.mocked(changeWebhook).mockRejectedValueOnce(
    new ApiFailure({ status: 412, code: 'changed_meanwhile', message: 'Somebody has changed this since you looked at it.', fields: {} }),
  )
  const dialog = await open(webhook)
  await dialog.get('input[name="description"]').setValue('yours')
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(dialog.text()).toContain('Somebody has changed this')
  expect(dialog.emitted('update:modelValue')).toBeUndefined()
  vi.mocked(lookAtWebhook).mockResolvedValue({ body: { ...webhook, description: 'ours' }, etag: '"3.4"' })
  await dialog.findAll('button').find((button) => button.text() === 'Load again')?.trigger('click')
  await flushPromises()
  expect(dialog.text()).not.toContain('Somebody has changed this')
  expect(dialog.get<HTMLInputElement>('input[name="description"]').element.value).toBe('ours')
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(changeWebhook).toHaveBeenLastCalledWith('w', { url: webhook.url, description: 'ours', types: ['job.finished'] }, '"3.4"')
})
