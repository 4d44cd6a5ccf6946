import { describe, expect, it } from 'vitest'

import {
  added, barsOf, byAccount, daysIn, drawingTime, hasMoney, moneyWords, periodOf, periodWords, reasonWords, type UsageLine, weekOf,
} from './usage'

const line = (changes: Partial<UsageLine>): UsageLine => ({
  day: null, account_id: null, account: null, checkpoint_id: null, checkpoint: null, pool: null, tier: null, reason: null,
  pictures: 1, device_seconds: 2, charged: {}, cost: {}, wasted_leases: 0, wasted_seconds: 0, wasted_cost: {}, ...changes,
})

describe('periods', () => {
  it.each([
    ['week', '2026-11-21', 0, '2026-11-16', '2026-11-22'],
    ['week', '2026-11-16', 0, '2026-11-16', '2026-11-22'],
    ['week', '2026-11-22', 1, '2026-11-09', '2026-11-15'],
    ['week', '2026-01-02', 0, '2025-12-29', '2026-01-04'],
    ['month', '2026-11-21', 0, '2026-11-01', '2026-11-30'],
    ['month', '2026-01-31', 1, '2025-12-01', '2025-12-31'],
    ['month', '2026-03-31', 1, '2026-02-01', '2026-02-28'],
    ['90', '2026-03-31', 0, '2026-01-01', '2026-03-31'],
    ['90', '2026-03-31', 1, '2025-10-03', '2025-12-31'],
  ] as const)('%s of %s, %d back', (span, today, back, since, until) => {
    expect(periodOf(span, today, back)).toEqual({ since, until })
  })
  it('says them in words', () => {
    expect(periodWords(weekOf('2026-11-21'))).toBe('Nov 16 – Nov 22, 2026')
    expect(periodWords(weekOf('2026-01-02'))).toBe('Dec 29, 2025 – Jan 4, 2026')
    expect(daysIn(weekOf('2026-11-21'))).toBe(7)
  })
})

describe('bars', () => {
  it('stand for every day, what was wasted on top of what was drawn', () => {
    const lines = [line({ day: '2026-03-01', device_seconds: 6, wasted_seconds: 2 }), line({ day: '2026-02-27', device_seconds: 4 })]
    const bars = barsOf(lines, { since: '2026-02-26', until: '2026-03-01' })
    expect(bars.map((bar) => [bar.day, bar.drawn, bar.wasted])).toEqual([
      ['2026-02-26', 0, 0], ['2026-02-27', 0.5, 0], ['2026-02-28', 0, 0], ['2026-03-01', 0.75, 0.25],
    ])
    expect(barsOf([], { since: '2026-02-26', until: '2026-02-27' }).map((bar) => bar.drawn)).toEqual([0, 0])
  })
})

describe('sums', () => {
  it('puts deleted accounts together at the end', () => {
    const lines = [
      line({ account_id: 'x', charged: { MAD: '0.1' } }), line({ account_id: 'a', account: 'ada' }),
      line({ account_id: 'y', pictures: 4, charged: { MAD: '0.2', EUR: '1' } }),
    ]
    expect(byAccount(lines).map((sum) => [sum.account, sum.pictures, sum.charged])).toEqual([
      ['ada', 1, {}], ['deleted accounts', 5, { MAD: '0.300000', EUR: '1.000000' }],
    ])
    expect(byAccount([])).toEqual([])
  })
  it('adds money without losing any', () => {
    expect(added({ MAD: '0.1' }, { MAD: '0.2' }, { MAD: '12345678901.000001' })).toEqual({ MAD: '12345678901.300001' })
    expect(added()).toEqual({})
  })
  it.each([[0.25, '0.3 s'], [59, '59 s'], [90, '1.5 min'], [5400, '1.5 h']])('says %d seconds as %s', (seconds, words) => {
    expect(drawingTime(seconds)).toBe(words)
  })
  it.each([
    [{}, '–'],
    [{ MAD: '1234.5' }, 'MAD 1,234.50'],
    [{ MAD: '0.001461' }, 'MAD 0.0015'],
    [{ MAD: '0.00' }, 'MAD 0.00'],
    [{ EUR: '2.00', MAD: '3.10' }, 'EUR 2.00 + MAD 3.10'],
    [{ JPY: '12.00' }, 'JPY 12'],
  ])('says %j as %s', (amounts, words) => {
    expect(moneyWords(amounts).replaceAll('\u00a0', ' ')).toBe(words)
  })
  it('shows money only where something has a price', () => {
    const totals = line({})
    expect(hasMoney(undefined)).toBe(false)
    expect(hasMoney({ is_priced: false, totals })).toBe(false)
    expect(hasMoney({ is_priced: true, totals })).toBe(true)
    expect(hasMoney({ is_priced: false, totals: line({ wasted_cost: { MAD: '1' } }) })).toBe(true)
  })
  it('has words for every reason, and for those that are newer than the page', () => {
    expect(reasonWords('loss')).toBe('The agent died or fell silent')
    expect(reasonWords('eclipse')).toBe('eclipse')
  })
})
