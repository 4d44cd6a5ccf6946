import { describe, expect, it } from 'vitest'

import { deedOf, doerOf, limitText, readLimit, subjectOf, type AuditLine } from './administration'

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
