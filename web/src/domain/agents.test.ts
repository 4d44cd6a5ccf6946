import { expect, it } from 'vitest'

import { decisionsFor } from './agents'
import { historyOf } from './deadLetters'

it.each([
  ['ready', ['Drain', 'Pause']],
  ['starting', ['Drain', 'Pause']],
  ['draining', ['Resume', 'Pause']],
  ['paused', ['Resume']],
] as const)('offers for an agent that is %s: %j', (state, labels) => {
  expect(decisionsFor({ state }).map(({ label }) => label)).toEqual(labels)
})

it('tells what became of all attempts', () => {
  expect(historyOf({ errors: 3, losses: 1 })).toBe('failed 3 times, its agent was lost once')
  expect(historyOf({ errors: 0, losses: 0 })).toBe('given up')
})
