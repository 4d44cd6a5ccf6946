import { ref } from 'vue'

import { zipAddress } from '@/api/links'

import { useNotice } from './useNotice'

/** Downloads pictures as one file. */
export function useDownload() {
  const notice = useNotice()
  const busy = ref(false)

  async function download(ids: readonly string[]): Promise<void> {
    busy.value = true
    try {
      const link = document.createElement('a')
      link.href = await zipAddress(ids)
      link.download = ''
      link.click()
    } catch (error) {
      notice.fail(error)
    } finally {
      busy.value = false
    }
  }

  return { busy, download }
}
