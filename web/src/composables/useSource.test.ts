// @vitest-environment happy-dom
import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { expect, it, vi } from 'vitest'
import { effectScope, ref } from 'vue'

import * as api from '@/api/inputs'
import { useDraft } from '@/stores/drafts'

import { useSource } from './useSource'

vi.mock('@/api/inputs')
vi.mock('./useNotice', () => ({ useNotice: () => ({ fail: vi.fn() }) }))
const catalogue = vi.hoisted(() => ({ current: {} }))
vi.mock('./useCatalogue', () => ({ useCatalogue: () => catalogue.current }))

it('sizes a picture by the checkpoint even when that becomes known later', async () => {
  setActivePinia(createPinia())
  const native = ref(512)
  const isKnown = ref(false)
  catalogue.current = { native, isKnown }
  vi.mocked(api.uploadInput).mockResolvedValue({ id: 'i1', width: 640, height: 320 } as Awaited<ReturnType<typeof api.uploadInput>>)
  const source = effectScope().run(useSource)

  const brought = source?.bring([new File(['x'], 'x.png', { type: 'image/png' })])
  await flushPromises()
  expect(useDraft().draft.source).toBeNull()
  native.value = 256
  isKnown.value = true
  await brought
  expect(useDraft().draft).toMatchObject({ source: { id: 'i1' }, width: 360, height: 184 })
})
