import { expect, it } from 'vitest'

import { timeAgo } from './times'

const NOW = new Date('2026-11-20T12:00:00Z')

it.each([
  ['2026-11-20T11:59:30Z', 'just now'],
  ['2026-11-20T12:00:09Z', 'just now'],
  ['2026-11-20T11:57:00Z', '3 minutes ago'],
  ['2026-11-19T11:00:00Z', 'yesterday'],
])('says %s as %s', (moment, text) => {
  expect(timeAgo(moment, NOW)).toBe(text)
})
