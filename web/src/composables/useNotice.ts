import { useToast } from '@nuxt/ui/composables'

import { ApiFailure, isOvertaken } from '@/domain/failures'

/** Short notices that come and go. */
export function useNotice() {
  const toast = useToast()

  function say(title: string): void {
    toast.add({ title, icon: 'i-lucide-check', color: 'primary', duration: 2_500 })
  }

  /** Shows what went wrong and what to do. What is no answer of the server is a defect of the page, and thrown on. */
  function fail(error: unknown): void {
    if (!(error instanceof ApiFailure)) throw error
    const fields = Object.entries(error.fields).map(([name, text]) => `${name}: ${text}`)
    toast.add({
      title: error.message,
      description: [error.hint, ...fields].filter(Boolean).join(' '),
      icon: 'i-lucide-triangle-alert',
      color: 'error',
      duration: 8_000,
    })
  }

  /** The same for an edit without a form to stay open; true when it was overtaken, and what is shown should be loaded again. */
  function refuse(error: unknown): boolean {
    const overtaken = error instanceof ApiFailure && isOvertaken(error)
    if (overtaken) warn(error.message, 'Nothing was done. Here it is as it stands now.')
    else fail(error)
    return overtaken
  }

  /** Something went wrong that nobody here has just done. */
  function warn(title: string, description: string): void {
    toast.add({ title, description, icon: 'i-lucide-triangle-alert', color: 'warning', duration: 8_000 })
  }

  function offerUndo(title: string, undo: () => void): void {
    toast.add({
      title,
      icon: 'i-lucide-trash-2',
      color: 'neutral',
      duration: 7_000,
      actions: [{ label: 'Undo', color: 'primary', variant: 'soft', onClick: undo }],
    })
  }

  return { say, fail, refuse, warn, offerUndo }
}
