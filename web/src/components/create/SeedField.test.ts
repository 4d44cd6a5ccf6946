// @vitest-environment happy-dom
import UApp from '@nuxt/ui/components/App.vue'
import { mount } from '@vue/test-utils'
import { expect, it } from 'vitest'
import { defineComponent, h, ref } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'

import SeedField from './SeedField.vue'

const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: { render: () => null } }] })

/** The field as the page holds it: inside UApp, which tooltips need. */
function field(start: string, last?: string) {
  const seed = ref(start)
  const wrapper = mount(defineComponent(() => () =>
    h(UApp, () => h(SeedField, { modelValue: seed.value, last, 'onUpdate:modelValue': (told: string) => (seed.value = told) })),
  ), { global: { plugins: [router] } })
  return { seed, wrapper }
}

it('keeps all digits of the largest seed', async () => {
  const { seed, wrapper } = field('')
  await wrapper.get('input').setValue('9223372036854775807')
  expect(seed.value).toBe('9223372036854775807')
})

it('takes digits only', async () => {
  const { seed, wrapper } = field('')
  await wrapper.get('input').setValue('-12a')
  expect(seed.value).toBe('12')
})

it('reuses the last seed, and goes back to a random one', async () => {
  const { seed, wrapper } = field('', '77')
  await wrapper.get('[aria-label="Reuse the last seed"]').trigger('click')
  expect(seed.value).toBe('77')
  await wrapper.get('[aria-label="Random seed"]').trigger('click')
  expect(seed.value).toBe('')
})
