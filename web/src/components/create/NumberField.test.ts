// @vitest-environment happy-dom
import { mount } from '@vue/test-utils'
import { expect, it } from 'vitest'

import NumberField from './NumberField.vue'

function field(props: { modelValue: number | null; error?: string }) {
  const wrapper = mount(NumberField, {
    props: { label: 'Steps', name: 'steps', min: 1, max: 150, slider: [1, 50] as const, ...props },
    attachTo: document.body,
  })
  return { wrapper, input: wrapper.get<HTMLInputElement>('input[type=number]') }
}

it('is called by its label', () => {
  const { wrapper, input } = field({ modelValue: 20 })
  expect(wrapper.get('label').attributes('for')).toBe(input.element.id)
})

it('gives numbers, and null once it is emptied', async () => {
  const { wrapper, input } = field({ modelValue: 20 })
  await input.setValue('35')
  await input.setValue('')
  expect(wrapper.emitted('update:modelValue')).toEqual([[35], [null]])
})

it('shows what is wrong where the input refers to it', () => {
  const { wrapper, input } = field({ modelValue: 0, error: '1 to 150' })
  expect(wrapper.text()).toContain('1 to 150')
  expect(input.attributes('aria-invalid')).toBe('true')
})

it('keeps its slider out of the way of keyboards and screen readers', () => {
  const slider = field({ modelValue: 20 }).wrapper.get('input[type=range]')
  expect([slider.attributes('tabindex'), slider.attributes('aria-hidden')]).toEqual(['-1', 'true'])
})
