import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, ref } from 'vue'

import { chooseMail, lookAtMail } from '@/api/mail'
import type { MailChoices } from '@/domain/mail'

import { useNotice } from './useNotice'

const KEY = ['mail']

/** Where one's mail goes and what one gets; unknown at first. */
export function useMail() {
  const client = useQueryClient()
  const notice = useNotice()
  const { data: looked, refetch } = useQuery({ queryKey: KEY, queryFn: lookAtMail, staleTime: 60_000 })
  const busy = ref(false)

  /** Rests on what the switches show: a link in a letter may have ended something since. */
  async function choose(choices: MailChoices): Promise<void> {
    busy.value = true
    try {
      client.setQueryData(KEY, await chooseMail(choices, looked.value?.etag ?? ''))
    } catch (error) {
      if (notice.refuse(error)) await refetch()
    } finally {
      busy.value = false
    }
  }

  return { mailbox: computed(() => looked.value?.body), busy, choose }
}
