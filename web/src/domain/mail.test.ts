import { expect, it } from 'vitest'

import { aJob, aShot } from './fixtures'
import { mailWords, saidOf } from './mail'

const NOW = new Date(2026, 10, 21, 15, 10)
const at = (day: number, hour: number): string => new Date(2026, 10, day, hour, 40).toISOString()

it('says what comes by mail, to whom and by when', () => {
  const shots = [0, 1, 2, 3].map((index) => aShot({ index }))
  const queue = { ahead: 3, eta_seconds: 60, eta_low_seconds: 50, eta_high_seconds: 80, reason: null }
  const mail = { to: 'a@b.org', by: at(21, 15) }
  expect(mailWords(aJob({ shots, mail, queue }), NOW)).toBe(
    'Your 4 pictures come by e-mail to a@b.org, at the latest by 15:40. You can close this page.',
  )
  expect(mailWords(aJob({ mail, queue }), NOW)).toContain('Your picture comes by e-mail')
  expect(mailWords(aJob({ mail: { ...mail, by: at(22, 9) }, queue }), NOW)).toContain('by tomorrow, 09:40')
  expect(mailWords(aJob({ mail: { ...mail, by: at(24, 9) }, queue }), NOW)).toContain('by 24 November, 09:40')
})

it('promises less while nobody can say how long it takes', () => {
  const queue = { ahead: 0, eta_seconds: null, eta_low_seconds: null, eta_high_seconds: null, reason: 'No agent is there.' }
  const told = mailWords(aJob({ mail: { to: 'a@b.org', by: at(21, 15) }, queue }), NOW)
  expect(told).toContain('as a rule by 15:40')
})

it('promises nothing for an order without mail, nor for one that is over or being called off', () => {
  const mail = { to: 'a@b.org', by: at(21, 15) }
  expect(mailWords(aJob(), NOW)).toBeNull()
  expect(mailWords(aJob({ state: 'succeeded', mail }), NOW)).toBeNull()
  expect(mailWords(aJob({ cancel_requested: true, mail }), NOW)).toBeNull()
})

it('leaves an order silent that wants what the account wants', () => {
  const mailbox = { address: 'a@b.org', results: true, failures: true, notices: true }
  expect(saidOf(true, mailbox)).toBeNull()
  expect(saidOf(false, mailbox)).toBe(false)
})
