/** What an account is told by mail, and what is said of it after an order. */

import { countOf, isTerminal, type Job } from './jobs'

export interface Mailbox {
  /** Null: the account has no confirmed address. */
  address: string | null
  results: boolean
  failures: boolean
  notices: boolean
}

export type MailChoices = Partial<Omit<Mailbox, 'address'>>

/** Where the pictures of an order go by mail, and by when they should. */
export interface MailPromise {
  to: string
  by: string
}

/** What an order says of it: nothing where that is what the account has chosen anyway. */
export function saidOf(wanted: boolean, mailbox: Mailbox): boolean | null {
  return wanted === mailbox.results ? null : wanted
}

/**
 * What will happen, and by when: "Your 4 pictures come by e-mail to a@b.org, at the latest by 15:40. You can close this
 * page." While nobody can say when the pictures will be drawn, it is only what their tier is meant to hold.
 */
export function mailWords(job: Job, now: Date): string | null {
  if (!job.mail || isTerminal(job.state) || job.cancel_requested) return null
  const what = job.count === 1 ? 'Your picture comes' : `Your ${countOf(job.count, 'picture')} come`
  const by = momentOf(new Date(job.mail.by), now)
  const when = typeof job.queue?.eta_seconds === 'number' ? `at the latest by ${by}` : `as a rule by ${by}`
  return `${what} by e-mail to ${job.mail.to}, ${when}. You can close this page.`
}

/** "15:40", "tomorrow, 09:05", "24 November, 09:05": in the reader's own time. */
function momentOf(moment: Date, now: Date): string {
  const time = moment.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
  const days = Math.round((midnight(moment) - midnight(now)) / 86_400_000)
  if (days === 0) return time
  if (days === 1) return `tomorrow, ${time}`
  return `${moment.toLocaleDateString('en-GB', { day: 'numeric', month: 'long' })}, ${time}`
}

function midnight(moment: Date): number {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime()
}
