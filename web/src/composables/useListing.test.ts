// @vitest-environment happy-dom
import { VueQueryPlugin } from '@tanstack/vue-query'
import { flushPromises } from '@vue/test-utils'
import { expect, it } from 'vitest'
import { createApp } from 'vue'

import { useListing } from './useListing'

it('takes no answer from before the change for the list after it', async () => {
  const answers: ((names: string[]) => void)[] = []
  const ask = () => new Promise<string[]>((answer) => answers.push(answer))
  let keys!: ReturnType<typeof useListing<string[]>>
  const app = createApp({ setup: () => ((keys = useListing('keys', ask)), () => null) })
  app.use(VueQueryPlugin).mount(document.createElement('div'))

  const reread = keys.reread()
  await flushPromises()
  answers[0]?.(['old'])
  await flushPromises()
  expect(answers).toHaveLength(2)
  answers[1]?.(['old', 'new'])
  await reread
  expect(keys.data.value).toEqual(['old', 'new'])
  app.unmount()
})
