import { expect, it } from 'vitest'

import { contentsOf } from './links'

it('says what a link leads to', () => {
  expect(contentsOf({ kind: 'image', count: 1 })).toBe('One picture')
  expect(contentsOf({ kind: 'images', count: 1 })).toBe('One picture, on a page')
  expect(contentsOf({ kind: 'images', count: 12 })).toBe('12 pictures')
  expect(contentsOf({ kind: 'job', count: null })).toBe('All pictures of a job')
})
