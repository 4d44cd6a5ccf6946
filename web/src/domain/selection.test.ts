import { expect, it } from 'vitest'

import { chosenIn, everyOne, NONE, stretched, toggled } from './selection'

const LIST = ['a', 'b', 'c', 'd', 'e']

it('chooses one and leaves it out again', () => {
  const one = toggled(NONE, 'b')
  expect(chosenIn(one, LIST)).toEqual(['b'])
  expect(chosenIn(toggled(one, 'b'), LIST)).toEqual([])
  expect(NONE.ids.size).toBe(0)
})

it('chooses a stretch in either direction and keeps what was chosen', () => {
  const some = stretched(toggled(toggled(NONE, 'a'), 'd'), LIST, 'c')
  expect(chosenIn(some, LIST)).toEqual(['a', 'c', 'd'])
  expect(chosenIn(stretched(some, LIST, 'e'), LIST)).toEqual(['a', 'c', 'd', 'e'])
})

it('begins a stretch where it is asked for when nothing was touched, or that is gone', () => {
  expect(chosenIn(stretched(NONE, LIST, 'c'), LIST)).toEqual(['c'])
  expect(chosenIn(stretched(toggled(NONE, 'gone'), LIST, 'c'), LIST)).toEqual(['c'])
  expect(stretched(NONE, LIST, 'gone')).toBe(NONE)
})

it('tells the chosen ones in the order of the list, without those that have gone', () => {
  expect(chosenIn(toggled(toggled(NONE, 'd'), 'a'), ['a', 'b', 'c'])).toEqual(['a'])
  expect(chosenIn(everyOne(LIST), LIST)).toEqual(LIST)
})
