import type { Mailbox, MailChoices } from '@/domain/mail'

import { request } from './http'

export function readMail(): Promise<Mailbox> {
  return request({ url: '/me/mail' })
}

export function chooseMail(choices: MailChoices): Promise<Mailbox> {
  return request({ method: 'PATCH', url: '/me/mail', data: choices })
}
