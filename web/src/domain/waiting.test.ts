import { expect, it } from 'vitest'

import { roughly, whyWaiting } from './waiting'

const PLACE = { ahead: 3, eta_seconds: 42, reason: null }

it("gives the server's reason before any of its own", () => {
  expect(whyWaiting({ ...PLACE, reason: 'The checkpoint does not load.' }, 'starting')).toBe('The checkpoint does not load.')
})

it('says that nobody is there to draw', () => {
  expect(whyWaiting(PLACE, 'starting')).toContain('starting')
  expect(whyWaiting(PLACE, 'absent')).toContain('No agent')
})

it('counts who is ahead', () => {
  expect(whyWaiting(PLACE, 'ready')).toBe('3 pictures ahead, about 42 s')
  expect(whyWaiting({ ...PLACE, ahead: 1, eta_seconds: null }, 'ready')).toBe('1 picture ahead')
  expect(whyWaiting({ ...PLACE, ahead: 0, eta_seconds: 1 }, 'ready')).toBe('Next in line, a moment')
})

it.each([[0, 'a moment'], [89, 'about 89 s'], [120, 'about 2 min'], [7200, 'about 2 h']])('says %i s as %s', (seconds, text) => {
  expect(roughly(seconds)).toBe(text)
})
