import { expect, it } from 'vitest'

import { anImage } from './fixtures'
import { allItems, replaced, withImage, without } from './pages'

const PAGES = [
  { items: [anImage({ id: 'b' }), anImage({ id: 'a' })], next_cursor: 'more' },
  { items: [anImage({ id: '0' })], next_cursor: null },
]
const ids = (pages: typeof PAGES) => allItems(pages).map((image) => image.id)

it('puts a new image in front, and a known one where it stands', () => {
  expect(ids(withImage(PAGES, anImage({ id: 'c' })))).toEqual(['c', 'b', 'a', '0'])
  expect(ids(withImage(PAGES, anImage({ id: 'a' })))).toEqual(['b', 'a', '0'])
  expect(ids(withImage([], anImage({ id: 'c' })))).toEqual(['c'])
})

it('leaves the cursors alone', () => {
  expect(withImage(without(PAGES, 'b'), anImage({ id: 'c' })).map((page) => page.next_cursor)).toEqual(['more', null])
})

it('replaces and removes by id', () => {
  expect(allItems(replaced(PAGES, anImage({ id: '0', starred: true }))).at(-1)?.starred).toBe(true)
  expect(ids(without(PAGES, 'a'))).toEqual(['b', '0'])
})
