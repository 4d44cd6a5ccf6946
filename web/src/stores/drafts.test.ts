// @vitest-environment happy-dom
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it } from 'vitest'
import { nextTick } from 'vue'

import { FRESH_DRAFT } from '@/domain/drafts'
import { aCheckpoint, aRecipe, anImage } from '@/domain/fixtures'

import { useDraft } from './drafts'

const KEY = 'stablehand-draft'

const TURBO = { steps: 4, sampler: 'Euler a', schedule: 'SGM Uniform', cfg_scale: 1 }

beforeEach(() => {
  localStorage.clear()
  setActivePinia(createPinia())
})

it('remembers the last settings', async () => {
  useDraft().draft.steps = 33
  await nextTick()
  setActivePinia(createPinia())
  expect(useDraft().draft.steps).toBe(33)
})

it.each(['{', 'null', '{"steps":"many"}'])('begins afresh from %s', (stored) => {
  localStorage.setItem(KEY, stored)
  expect(useDraft().draft).toEqual(FRESH_DRAFT)
})

it('takes over a picture, and gives back the defaults but not the words', () => {
  const store = useDraft()
  store.use(aRecipe({ steps: 12 }))
  expect(store.draft).toMatchObject({ prompt: 'a red house in a meadow', steps: 12, seed: '41' })
  store.reset()
  expect(store.draft).toEqual({ ...FRESH_DRAFT, prompt: 'a red house in a meadow' })
})

it('keeps the shape when another checkpoint is chosen, and the very size when a picture is taken over', () => {
  const store = useDraft()
  store.choose(aCheckpoint({ name: 'large', native_size: 512 }), aCheckpoint())
  expect(store.draft).toMatchObject({ checkpoint: 'large', width: 512, height: 512 })
  store.use(aRecipe({ checkpoint: 'postcard', width: 512, height: 512, seed: '9223372036854775807' }))
  expect(store.draft).toMatchObject({ checkpoint: 'postcard', width: 512, height: 512, seed: '9223372036854775807' })
})

it('draws at the defaults of the checkpoint that is chosen, but where something else was set', () => {
  const store = useDraft()
  const [usual, turbo] = [aCheckpoint(), aCheckpoint({ name: 'turbo', defaults: TURBO })]
  store.fill(usual)
  expect(store.draft).toMatchObject({ width: 256, height: 256, steps: 20, guidance: 7, sampler: null })
  store.draft.guidance = 2
  store.choose(turbo, usual)
  expect(store.draft).toMatchObject({ checkpoint: 'turbo', steps: 4, guidance: 2, sampler: null })
  store.reset()
  store.fill(turbo)
  expect(store.draft).toMatchObject({ checkpoint: null, steps: 4, guidance: 1 })
})

it('starts from a picture in its proportions, and goes back to words alone', () => {
  const store = useDraft()
  store.startFromInput({ id: 's1', width: 640, height: 320 }, 256)
  expect(store.draft).toMatchObject({ source: { id: 's1', from: 'input' }, width: 360, height: 184 })
  store.draft.mask = 'm1'
  store.startFrom(anImage({ id: 'i2', width: 512, height: 512 }), 256)
  expect(store.draft).toMatchObject({ source: { id: 'i2', from: 'image' }, mask: null, width: 256, height: 256, seed: '' })
  store.dropSource(256)
  expect(store.draft).toMatchObject({ source: null, width: 256, height: 256 })
})

it('leaves its form alone while another tab is typed in', () => {
  const store = useDraft()
  store.draft.prompt = 'mine'
  const newValue = JSON.stringify({ ...FRESH_DRAFT, prompt: 'theirs' })
  window.dispatchEvent(new StorageEvent('storage', { key: KEY, newValue, storageArea: localStorage }))
  expect(store.draft.prompt).toBe('mine')
})
