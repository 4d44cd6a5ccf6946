import { expect, it } from 'vitest'

import { aJob, aShot } from './fixtures'
import { mailWords, saidOf } from './mail'

const NOW = new Date(2026, 10, 21, 15, 10)
const at = (day: number, hour: number): string => new Date(2026, 10, day, hour, 40).toISOString()

it('says what comes by mail, to whom and by when', () => {
  const shots = [0, 1, 2, 3].map((index) => aShot({ index }))
  const mail = { to: 'a@b.org', by: at(21, 15) }
  expect(mailWords(aJob({ shots, mail }), NOW)).toBe(
    'Your 4 pictures come by e-mail to a@b.org, at the latest at 15:40. You can close this page.',
  )
  expect(mailWords(aJob({ mail: { ...mail, by: at(22, 9) } }), NOW)).toContain('Your picture comes by e-mail')
  expect(mailWords(aJob({ mail: { ...mail, by: at(22, 9) } }), NOW)).toContain('tomorrow at 09:40')
  expect(mailWords(aJob({ mail: { ...mail, by: at(24, 9) } }), NOW)).toContain('on 24 November at 09:40')
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
