// @vitest-environment happy-dom
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { flushPromises } from '@vue/test-utils'
import { beforeEach, expect, it, vi } from 'vitest'
import { createApp } from 'vue'

import { chooseMail, lookAtMail } from '@/api/mail'
import { ApiFailure, OVERTAKEN } from '@/domain/failures'
import type { Mailbox } from '@/domain/mail'

import { useMail } from './useMail'

const add = vi.hoisted(() => vi.fn())
vi.mock('@/api/mail')
vi.mock('@nuxt/ui/composables', () => ({ useToast: () => ({ add }) }))

const ALL: Mailbox = { address: 'ada@example.org', results: true, failures: true, notices: true }

async function look() {
  let mail!: ReturnType<typeof useMail>
  const app = createApp({ setup: () => ((mail = useMail()), () => null) })
  app.use(VueQueryPlugin, { queryClient: new QueryClient() }).mount(document.createElement('div'))
  await flushPromises()
  return mail
}

beforeEach(() => {
  add.mockReset()
  vi.mocked(lookAtMail).mockReset().mockResolvedValue({ body: ALL, etag: '"1.2"' })
  vi.mocked(chooseMail).mockReset()
})

it('rests each choice on the one before it', async () => {
  vi.mocked(chooseMail).mockResolvedValueOnce({ body: { ...ALL, results: false }, etag: '"3.4"' })
  const mail = await look()
  await mail.choose({ results: false })
  expect(chooseMail).toHaveBeenLastCalledWith({ results: false }, '"1.2"')
  expect(mail.mailbox.value?.results).toBe(false)
  vi.mocked(chooseMail).mockResolvedValueOnce({ body: ALL, etag: '"1.2"' })
  await mail.choose({ results: true })
  expect(chooseMail).toHaveBeenLastCalledWith({ results: true }, '"3.4"')
  expect(add).not.toHaveBeenCalled()
})

it('shows what a link in a letter has ended meanwhile, and says that nothing else was done', async () => {
  vi.mocked(chooseMail).mockRejectedValueOnce(new ApiFailure(OVERTAKEN))
  const mail = await look()
  vi.mocked(lookAtMail).mockResolvedValue({ body: { ...ALL, failures: false }, etag: '"5.6"' })
  await mail.choose({ results: false })
  expect(mail.mailbox.value).toEqual({ ...ALL, failures: false })
  expect(mail.busy.value).toBe(false)
  expect(add).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ title: OVERTAKEN.message, color: 'warning' }))
})
