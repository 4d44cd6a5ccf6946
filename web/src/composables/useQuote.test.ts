// @vitest-environment happy-dom
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createApp, nextTick } from 'vue'

import * as api from '@/api/quotes'
import { ApiFailure, UNREACHABLE } from '@/domain/failures'
import type { Quote } from '@/domain/quotes'
import { useDraft } from '@/stores/drafts'

import { useQuote } from './useQuote'

vi.mock('@/api/quotes')

const QUOTE: Quote = {
  accepted: true,
  limits: [],
  count: 1,
  device_seconds: { likely: 12, low: 8, high: 19 },
  money: null,
  waiting: { first: null, last: null, ahead: 0, held_by: null, reason: null },
  promise: { tier: 'normal', within_seconds: 1800, words: 'within 30 minutes', is_likely: null },
}

let quote: ReturnType<typeof useQuote>
let unmount: () => void

beforeEach(() => {
  vi.resetAllMocks()
  vi.useFakeTimers()
  localStorage.clear()
  vi.mocked(api.askQuote).mockResolvedValue(QUOTE)
  const pinia = createPinia()
  setActivePinia(pinia)
  const app = createApp({ setup: () => ((quote = useQuote()), () => null) })
  app.use(pinia).use(VueQueryPlugin, { queryClient: new QueryClient() })
  app.mount(document.createElement('div'))
  unmount = () => app.unmount()
})

afterEach(() => {
  unmount()
  vi.useRealTimers()
})

async function after(milliseconds: number): Promise<void> {
  await nextTick()
  await vi.advanceTimersByTimeAsync(milliseconds)
  await nextTick()
}

it('asks once typing has paused, and cancels what was asked before', async () => {
  await after(10)
  expect(quote.line.value).toBe('about 12 s')
  const before = vi.mocked(api.askQuote).mock.calls.length
  let asked: AbortSignal | undefined
  vi.mocked(api.askQuote).mockImplementation((_, signal) => ((asked = signal), new Promise(() => undefined)))
  for (const steps of [3, 30]) {
    useDraft().draft.steps = steps
    await after(100)
    expect(quote.line.value).toBe('')
  }
  await after(500)
  expect(vi.mocked(api.askQuote).mock.calls.slice(before)).toHaveLength(1)
  useDraft().draft.steps = 31
  await after(500)
  expect(asked).toBeDefined()
  expect(vi.mocked(api.askQuote).mock.calls.slice(before)[0]?.[1].aborted).toBe(true)
})

it('asks nobody while a prompt is typed, and again not for what it knows', async () => {
  await after(10)
  const before = vi.mocked(api.askQuote).mock.calls.length
  useDraft().draft.prompt = 'a tree'
  await after(500)
  expect(vi.mocked(api.askQuote).mock.calls).toHaveLength(before)
  useDraft().draft.steps = 30
  await after(500)
  useDraft().draft.steps = null
  await after(500)
  expect(vi.mocked(api.askQuote).mock.calls).toHaveLength(before + 1)
  expect(quote.line.value).toBe('about 12 s')
})

it('names the limit that the order would hit, and says nothing when there is no answer', async () => {
  const limit = { name: 'queued', code: 'queue_full', message: 'Too many.', hint: 'Wait.', most: 1, used: 1, left: 0, asked: 1, frees_at: null }
  vi.mocked(api.askQuote).mockResolvedValue({ ...QUOTE, accepted: false, limits: [limit] })
  useDraft().draft.steps = 30
  await after(500)
  expect(quote.refusal.value).toEqual({ short: 'Your queue is full', long: 'Too many. Wait.' })
  vi.mocked(api.askQuote).mockRejectedValue(new ApiFailure(UNREACHABLE))
  useDraft().draft.steps = 31
  await after(500)
  expect([quote.line.value, quote.refusal.value]).toEqual(['', undefined])
})
