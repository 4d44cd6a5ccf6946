// @vitest-environment happy-dom
import { flushPromises, mount } from '@vue/test-utils'
import { beforeEach, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'

import { changeAccount, deleteAccount, lookAtAccount } from '@/api/administration'
import type { AdminAccount, Tier } from '@/domain/administration'
import { ApiFailure } from '@/domain/failures'

import AccountDialog from './AccountDialog.vue'

vi.mock('@/api/administration')
vi.mock('@nuxt/ui/composables', () => ({ useToast: () => ({ add: vi.fn() }) }))

const ada: AdminAccount = {
  id: 'a', name: 'ada@example.org', email: 'ada@example.org', role: 'user', tier: 'normal', state: 'active', suspended_reason: '',
  created_at: '2026-01-01T00:00:00Z', last_seen_at: null, quotas: { steps: 30, kinds: ['text'], wings: 2 }, queued: 0, pictures: 0, device_seconds: 0,
}
const TIERS: Tier[] = [{ name: 'premium', limits: {} }, { name: 'normal', limits: { queued: 500 } }]

/** The dialog without its window: what matters is what it asks of the server. */
async function open(account: AdminAccount = ada) {
  const dialog = mount(AccountDialog, {
    props: { tiers: TIERS, self: 'o', modelValue: null },
    global: {
      plugins: [createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: {} }] })],
      stubs: { UModal: { template: '<div><slot name="body" /><slot name="footer" /></div>' }, USelect: true },
    },
  })
  vi.mocked(lookAtAccount).mockResolvedValue({ body: account, etag: '"1.2"' })
  await dialog.setProps({ modelValue: account })
  await flushPromises()
  return dialog
}

beforeEach(() => {
  vi.mocked(changeAccount).mockReset().mockResolvedValue(ada)
  vi.mocked(lookAtAccount).mockReset()
  vi.mocked(deleteAccount).mockReset().mockResolvedValue(undefined)
})

it('sends what was typed, keeps limits that it has no field for, and leaves the rest to the tier', async () => {
  const dialog = await open()
  expect(dialog.get<HTMLInputElement>('[name="queued"] input, input[placeholder="500"]').element.value).toBe('')
  await dialog.get('input[placeholder="500"]').setValue('5')
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(changeAccount).toHaveBeenCalledWith('a', { tier: 'normal', role: 'user', quotas: { wings: 2, queued: 5, steps: 30, kinds: ['text'] } }, '"1.2"')
  expect(dialog.emitted('changed')).toHaveLength(1)
  expect(dialog.emitted('update:modelValue')).toEqual([[null]])
})

it('stays open and says why when the server refuses', async () => {
  vi.mocked(changeAccount).mockRejectedValue(
    new ApiFailure({ status: 409, code: 'account_protected', message: 'The last administrator cannot get another role.', hint: '', fields: {} }),
  )
  const dialog = await open()
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(dialog.text()).toContain('The last administrator')
  expect(dialog.emitted('changed')).toBeUndefined()
})

it('offers to load again what somebody else has changed, and goes on from there', async () => {
  vi.mocked(changeAccount).mockRejectedValueOnce(
    new ApiFailure({ status: 412, code: 'changed_meanwhile', message: 'Somebody has changed this since you looked at it.', fields: {} }),
  )
  const dialog = await open()
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(dialog.text()).toContain('Somebody has changed this')
  vi.mocked(lookAtAccount).mockResolvedValue({ body: { ...ada, quotas: { queued: 7 } }, etag: '"3.4"' })
  await dialog.findAll('button').find((button) => button.text() === 'Load again')?.trigger('click')
  await flushPromises()
  await dialog.setProps({ modelValue: dialog.emitted<[AdminAccount]>('update:modelValue')?.at(-1)?.[0] ?? null })
  expect(dialog.text()).not.toContain('Somebody has changed this')
  expect(dialog.get<HTMLInputElement>('input[placeholder="500"]').element.value).toBe('7')
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(changeAccount).toHaveBeenLastCalledWith('a', { tier: 'normal', role: 'user', quotas: { queued: 7 } }, '"3.4"')
})

it('deletes only once the name was typed', async () => {
  const dialog = await open()
  await dialog.findAll('button').find((button) => button.text() === 'Delete…')?.trigger('click')
  const button = dialog.findAll('button').find((other) => other.text() === 'Delete it for good')
  expect(button?.attributes('disabled')).toBeDefined()
  await dialog.get('input').setValue('ada@example.org')
  expect(button?.attributes('disabled')).toBeUndefined()
  await dialog.get('form').trigger('submit')
  await flushPromises()
  expect(deleteAccount).toHaveBeenCalledWith('a', '"1.2"')
})

it('offers nobody to suspend or delete themselves, nor the owner', async () => {
  for (const account of [{ ...ada, id: 'o' }, { ...ada, role: 'owner' as const }]) {
    const words = (await open(account)).findAll('button').map((button) => button.text())
    expect(words).not.toContain('Suspend…')
    expect(words).not.toContain('Delete…')
  }
})
