import { describe, expect, it } from 'vitest'

import { barsOf, deedOf, doerOf, drawingTime, limitText, readLimit, subjectOf, sumsOf, type AuditLine, type UsageLine } from './administration'

const line = (day: string, account_id: string, pictures: number, account: string | null = account_id): UsageLine => ({
  day, account_id, account, tier: 'normal', pictures, device_seconds: pictures * 2,
})

describe('limits of an account', () => {
  it.each([
    [500, '500'],
    [null, 'none'],
    [['sd15-*', 'postcard'], 'sd15-*, postcard'],
    [undefined, ''],
  ])('%j is written as it is read', (value, text) => {
    expect(limitText(value)).toBe(text)
    expect(readLimit(text, Array.isArray(value))).toEqual(value)
  })
  it('leaves to the server what is no number', () => {
    expect(readLimit('many')).toBe('many')
    expect(readLimit(' NONE ')).toBeNull()
    expect(readLimit('a,,b ', true)).toEqual(['a', 'b'])
  })
})

describe('usage', () => {
  const lines = [line('2026-03-01', 'ada', 2), line('2026-03-01', 'bob', 1), line('2026-02-27', 'ada', 6), line('2026-02-27', 'x', 9, null)]

  it('has a bar for every day, over the end of a month too', () => {
    const bars = barsOf(lines, '2026-03-01', 4)
    expect(bars.map((bar) => [bar.day, bar.pictures])).toEqual([
      ['2026-02-26', 0], ['2026-02-27', 15], ['2026-02-28', 0], ['2026-03-01', 3],
    ])
    expect(bars[1]?.share).toBe(1)
    expect(barsOf([], '2026-03-01', 2).map((bar) => bar.share)).toEqual([0, 0])
  })
  it('sums each account, and those that are gone at the end', () => {
    expect(sumsOf(lines).map((sum) => [sum.account, sum.pictures])).toEqual([['ada', 8], ['bob', 1], ['deleted accounts', 9]])
  })
  it.each([[0.25, '0.3 s'], [59, '59 s'], [90, '1.5 min'], [5400, '1.5 h']])('says %d seconds as %s', (seconds, words) => {
    expect(drawingTime(seconds)).toBe(words)
  })
})

describe('the log', () => {
  const entry: AuditLine = {
    number: 1, at: '2026-03-01T12:00:00Z', action: 'account.tier', account_id: 'o', account: 'owner', subject: 'a',
    subject_name: 'ada@example.org', address: '::1', details: { from: 'normal', to: 'premium' },
  }

  it('tells who did what to whom', () => {
    expect([doerOf(entry), deedOf(entry.action), subjectOf(entry)]).toEqual(['owner', 'changed the tier of', 'ada@example.org: normal → premium'])
    expect(subjectOf({ ...entry, subject: 'o', subject_name: 'owner', details: {} })).toBe('')
    expect(subjectOf({ ...entry, subject_name: null, details: { name: 'script', scopes: 'read' } })).toBe('script · read')
    expect(subjectOf({ ...entry, subject: 'o' })).toBe('its own account: normal → premium')
    expect(subjectOf({ ...entry, details: { from: '', to: 'queued=5' } })).toBe('ada@example.org: none → queued=5')
  })
  it('tells the machine and those who are gone apart', () => {
    expect(doerOf({ account: null, account_id: null })).toBe('Somebody at the machine')
    expect(doerOf({ account: null, account_id: 'x' })).toBe('A deleted account')
  })
  it('has words for what is newer than the page', () => {
    expect(deedOf('wing.grown_back')).toBe('wing grown back')
  })
})
