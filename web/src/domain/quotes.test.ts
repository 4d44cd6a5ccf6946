import { expect, it } from 'vitest'

import { clock, moneyText, quotedOrder, quoteLine, refusalOf, type Quote, type QuoteLimit } from './quotes'

const QUOTE: Quote = {
  accepted: true,
  limits: [],
  count: 4,
  device_seconds: { likely: 12.2, low: 8, high: 19 },
  money: { likely: '0.017825', low: '0.01', high: '0.03', currency: 'MAD' },
  waiting: { first: null, last: { likely: 61, low: 40, high: 130 }, ahead: 3, held_by: 'queue', reason: 'First come 3 pictures.' },
  promise: { tier: 'normal', within_seconds: 1800, words: 'within 30 minutes', is_likely: true },
}
const LIMIT: QuoteLimit = {
  name: 'queued', code: 'queue_full', message: '', hint: '', most: 10, used: 8, left: 2, asked: 4, frees_at: null,
}

it('says cost and waiting in one line', () => {
  expect(quoteLine(QUOTE)).toBe('about 12 s · 0.018 MAD · ready in about 61 s (0:40–2:10)')
})

it('says no more than is known', () => {
  const waiting = { ...QUOTE.waiting, last: null, reason: null }
  expect(quoteLine({ ...QUOTE, device_seconds: null, money: null, waiting })).toBe('')
  expect(quoteLine({ ...QUOTE, money: null, waiting: { ...waiting, reason: 'No agent is connected yet.' } })).toBe(
    'about 12 s · No agent is connected yet.',
  )
  expect(quoteLine({ ...QUOTE, money: null, device_seconds: { likely: 1, low: 1, high: 1 }, waiting: { ...waiting, last: { likely: 3, low: 2, high: 6 } } })).toBe(
    'under 2 s · ready in about 3 s',
  )
})

it("says when the tier's promise is not likely to be kept", () => {
  expect(quoteLine({ ...QUOTE, promise: { ...QUOTE.promise, is_likely: false } })).toMatch(/ · not within 30 minutes$/)
})

it.each([[0.4, '0:00'], [40, '0:40'], [130, '2:10'], [3720, '1:02:00']])('says %d s on a clock as %s', (seconds, text) => {
  expect(clock(seconds)).toBe(text)
})

it.each([[0, '0.00 MAD'], [0.00001, 'under 0.0001 MAD'], [0.00123, '0.0012 MAD'], [0.02, '0.02 MAD'], [1234.5, '1,234.50 MAD']])('says %d as %s', (amount, text) => {
  expect(moneyText(amount, 'MAD')).toBe(text)
})

it.each([
  [LIMIT, 'Your queue has room for 2'],
  [{ ...LIMIT, left: 0 }, 'Your queue is full'],
  [{ ...LIMIT, name: 'pictures_a_day', left: 3 }, 'Only 3 left today'],
  [{ ...LIMIT, name: 'device_seconds_a_day', left: 0.7 }, 'No drawing time left today'],
  [{ ...LIMIT, name: 'steps', most: 30 }, 'At most 30 steps'],
  [{ ...LIMIT, name: 'kinds' }, 'Not for your account'],
])('tells a limit on the button: $name', (limit, text) => {
  expect(refusalOf(limit)).toBe(text)
})

it('asks without the words of the prompt', () => {
  expect(quotedOrder({ prompt: 'a secret', negative_prompt: 'x', seed: '7', steps: 12, notify: { email: true } })).toEqual({ prompt: 'a picture', steps: 12 })
})
