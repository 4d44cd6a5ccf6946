import type { Job } from '@/domain/jobs'
import type { Place } from '@/domain/line'
import { useJobs } from '@/stores/jobs'

import { useNotice } from './useNotice'

/** What can be done with a job, wherever it is shown. */
export function useJobActions() {
  const jobs = useJobs()
  const notice = useNotice()

  async function cancel(job: Job): Promise<void> {
    try {
      await jobs.cancel(job.id)
    } catch (error) {
      notice.fail(error)
    }
  }

  /** A new job for the pictures that did not come, with the same seeds. */
  async function retry(job: Job): Promise<void> {
    try {
      await jobs.retry(job.id)
      notice.say('In the queue again')
    } catch (error) {
      notice.fail(error)
    }
  }

  /** Another place among one's own waiting jobs. Returns whether it was taken. */
  async function move(job: Job, place: Place): Promise<boolean> {
    try {
      await jobs.move(job.id, place)
      return true
    } catch (error) {
      notice.fail(error)
      return false
    }
  }

  return { cancel, retry, move }
}
