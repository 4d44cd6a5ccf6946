// @vitest-environment happy-dom
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it, vi } from 'vitest'
import { effectScope, nextTick } from 'vue'

import * as api from '@/api/jobs'
import { ApiFailure, UNREACHABLE } from '@/domain/failures'
import { aJob } from '@/domain/fixtures'
import { useDraft } from '@/stores/drafts'

import { useGenerate } from './useGenerate'

vi.mock('@/api/jobs')
const fail = vi.hoisted(() => vi.fn())
vi.mock('./useNotice', () => ({ useNotice: () => ({ fail }) }))

type Generate = ReturnType<typeof useGenerate>
let form: Generate

beforeEach(() => {
  vi.resetAllMocks()
  localStorage.clear()
  setActivePinia(createPinia())
  form = effectScope().run(useGenerate) as Generate
  useDraft().draft.prompt = 'a tree'
})

function refused(fields: Record<string, string>): ApiFailure {
  return new ApiFailure({ code: 'invalid_fields', message: 'Not valid.', fields, status: 422 })
}

function keysSent(): string[] {
  return vi.mocked(api.submitJob).mock.calls.map(([, key]) => key)
}

it('orders what the draft says', async () => {
  vi.mocked(api.submitJob).mockResolvedValue(aJob())
  expect(await form.generate()).toBe(true)
  expect(api.submitJob).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ prompt: 'a tree' }), expect.any(String))
})

it('asks for a prompt before it asks the server', async () => {
  useDraft().draft.prompt = '  '
  expect(await form.generate()).toBe(false)
  expect(form.errors.value.prompt).toBeTruthy()
  expect(api.submitJob).not.toHaveBeenCalled()
})

it('puts each complaint beside its field, until that field is changed', async () => {
  vi.mocked(api.submitJob).mockRejectedValue(refused({ steps: '1 to 150', cfg_scale: '0 to 30' }))
  await form.generate()
  expect(form.errors.value).toEqual({ steps: '1 to 150', guidance: '0 to 30' })
  expect(fail).not.toHaveBeenCalled()
  useDraft().draft.steps = 30
  await nextTick()
  expect(form.errors.value).toEqual({ guidance: '0 to 30' })
})

it('says aloud what no field of the form stands for', async () => {
  const failure = refused({ tier: 'premium or normal' })
  vi.mocked(api.submitJob).mockRejectedValue(failure)
  await form.generate()
  expect(fail).toHaveBeenCalledExactlyOnceWith(failure)
})

it('sends an order with a lost answer again under the same key, and a changed one under a new key', async () => {
  vi.mocked(api.submitJob).mockRejectedValue(new ApiFailure(UNREACHABLE))
  await form.generate()
  await form.generate()
  useDraft().draft.prompt = 'another tree'
  await form.generate()
  const [first, second, third] = keysSent()
  expect(second).toBe(first)
  expect(third).not.toBe(first)
})

it('orders twice when asked twice', async () => {
  vi.mocked(api.submitJob).mockResolvedValue(aJob())
  await form.generate()
  await form.generate()
  expect(new Set(keysSent()).size).toBe(2)
})
