import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { ref } from 'vue'

import { chooseMail, readMail } from '@/api/mail'
import type { MailChoices } from '@/domain/mail'

import { useNotice } from './useNotice'

const KEY = ['mail']

/** Where one's mail goes and what one gets; unknown at first. */
export function useMail() {
  const client = useQueryClient()
  const { fail } = useNotice()
  const { data: mailbox } = useQuery({ queryKey: KEY, queryFn: readMail, staleTime: 60_000 })
  const busy = ref(false)

  async function choose(choices: MailChoices): Promise<void> {
    busy.value = true
    try {
      client.setQueryData(KEY, await chooseMail(choices))
    } catch (error) {
      fail(error)
    } finally {
      busy.value = false
    }
  }

  return { mailbox, busy, choose }
}
