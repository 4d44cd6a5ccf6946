import type { Mailbox, MailChoices } from '@/domain/mail'

import { requestTagged, restingOn, type Tagged } from './http'

export function lookAtMail(): Promise<Tagged<Mailbox>> {
  return requestTagged({ url: '/me/mail' })
}

/** `etag`: what was chosen when it was looked at; empty: whatever is chosen now. */
export function chooseMail(choices: MailChoices, etag: string): Promise<Tagged<Mailbox>> {
  return requestTagged({ method: 'PATCH', url: '/me/mail', data: choices, headers: restingOn(etag) })
}
