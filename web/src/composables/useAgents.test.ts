// @vitest-environment happy-dom
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createApp } from 'vue'

import { decideAgent, listAgents, lookAtAgent } from '@/api/admin'
import type { AdminAgent } from '@/domain/agents'
import { ApiFailure, OVERTAKEN, UNREACHABLE } from '@/domain/failures'

import { useAgents } from './useAgents'

const add = vi.hoisted(() => vi.fn())
vi.mock('@/api/admin')
vi.mock('@nuxt/ui/composables', () => ({ useToast: () => ({ add }) }))

const local = { id: 'a', name: 'local', pool: 'default', state: 'ready', reason: '', since: null, shots: [] } as unknown as AdminAgent
const drained: AdminAgent = { ...local, state: 'draining', reason: 'New cables.', since: '2026-11-21T12:00:00Z' }

let unmount = (): void => undefined

async function look() {
  let screen!: ReturnType<typeof useAgents>
  const app = createApp({ setup: () => ((screen = useAgents()), () => null) })
  app.use(VueQueryPlugin, { queryClient: new QueryClient() }).mount(document.createElement('div'))
  unmount = () => app.unmount()
  await flushPromises()
  return screen
}

beforeEach(() => {
  add.mockReset()
  vi.mocked(listAgents).mockReset().mockResolvedValue({ items: [local], next_cursor: null })
  vi.mocked(lookAtAgent).mockReset().mockResolvedValue({ body: { ...local, state: 'gone' }, etag: '"1.2"' })
  vi.mocked(decideAgent).mockReset().mockResolvedValue(drained)
})
afterEach(() => unmount())

it('rests a decision on the agent as it was shown, whether it is there or not', async () => {
  const screen = await look()
  vi.mocked(listAgents).mockResolvedValue({ items: [drained], next_cursor: null })
  await screen.decide(local, 'draining', 'New cables.')
  expect(decideAgent).toHaveBeenCalledExactlyOnceWith('a', 'draining', 'New cables.', '"1.2"')
  expect(screen.agents.value).toEqual([drained])
  expect(add).not.toHaveBeenCalled()
})

it('decides nothing about an agent that somebody else has decided about, and shows that', async () => {
  const screen = await look()
  vi.mocked(listAgents).mockResolvedValue({ items: [drained], next_cursor: null })
  vi.mocked(lookAtAgent).mockResolvedValueOnce({ body: drained, etag: '"3.4"' })
  await screen.decide(local, 'paused', '')
  expect(decideAgent).not.toHaveBeenCalled()
  expect(screen.agents.value).toEqual([drained])
  vi.mocked(decideAgent).mockRejectedValueOnce(new ApiFailure(OVERTAKEN))
  await screen.decide(local, 'paused', '')
  expect(add.mock.calls.map(([toast]) => (toast as { title: string }).title)).toEqual([OVERTAKEN.message, OVERTAKEN.message])
})

it('says what else went wrong', async () => {
  const screen = await look()
  vi.mocked(lookAtAgent).mockRejectedValueOnce(new ApiFailure(UNREACHABLE))
  await screen.decide(local, 'paused', '')
  expect(add).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ title: UNREACHABLE.message, color: 'error' }))
})
