import { expect, it } from 'vitest'

import { isSource, pictureAmong } from './sources'

it('takes the first picture that the server takes', () => {
  expect(pictureAmong([{ type: 'text/plain' }, { type: 'image/gif' }, { type: 'image/webp' }])).toEqual({ type: 'image/webp' })
  expect(pictureAmong([{ type: 'image/svg+xml' }])).toBeUndefined()
})

it.each([null, 'x', {}, { id: '', from: 'input' }, { id: 'x', from: 'elsewhere' }])('knows that %j is none', (value) => {
  expect(isSource(value)).toBe(false)
})
