import { expect, it } from 'vitest'

import { doneIn, glued, roughly, whyWaiting } from './waiting'

const PLACE = { ahead: 3, eta_seconds: 42, eta_low_seconds: 40, eta_high_seconds: 45, reason: null }

it("gives the server's reason before any of its own", () => {
  expect(whyWaiting({ ...PLACE, reason: 'The checkpoint does not load.', eta_seconds: null }, 'starting')).toBe('The checkpoint does not load.')
})

it('says that nobody is there to draw', () => {
  expect(whyWaiting(PLACE, 'starting')).toContain('starting')
  expect(whyWaiting(PLACE, 'absent')).toContain('No agent')
})

it('counts who is ahead', () => {
  expect(whyWaiting(PLACE, 'ready')).toBe('3 pictures ahead, done in about 42 s')
  expect(whyWaiting({ ...PLACE, ahead: 1, eta_seconds: null }, 'ready')).toBe('1 picture ahead')
  expect(whyWaiting({ ...PLACE, ahead: 0, eta_seconds: 1 }, 'ready')).toBe('Next in line, done in a moment')
})

it('leaves no unit alone on a line', () => {
  expect(glued('Done in about 46 s (30 to 71 s). 3 min, 4 pictures')).toBe('Done in about 46\u00a0s (30 to 71\u00a0s). 3\u00a0min, 4 pictures')
})

it.each([[0, 'a moment'], [89, 'about 89 s'], [120, 'about 2 min'], [7200, 'about 2 h']])('says %i s as %s', (seconds, text) => {
  expect(roughly(seconds)).toBe(text)
})

it('says when a job that waits for a reason will be done', () => {
  const reason = 'The checkpoint big must be loaded first.'
  expect(whyWaiting({ ...PLACE, reason }, 'ready')).toBe(`${reason} Done in about 42 s.`)
})

it.each([
  [42, 20, 80, 'about 42 s (20 to 80 s)'],
  [180, 100, 400, 'about 3 min (1 to 7 min)'],
  [60, 20, 100, 'about 60 s (up to 2 min)'],
  [7200, 3600, 14400, 'about 2 h (1 to 4 h)'],
  [3, 1, 6, 'about 3 s'],
  [42, null, null, 'about 42 s'],
])('gives %s s between %s and %s as %s', (eta_seconds, eta_low_seconds, eta_high_seconds, text) => {
  expect(doneIn({ ...PLACE, eta_seconds, eta_low_seconds, eta_high_seconds })).toBe(text)
})
