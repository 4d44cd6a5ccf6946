/** The line of one's own waiting jobs, and the steps that a job can take in it. */

import { isTerminal, newestFirst, type Job } from './jobs'

/** Where a job may be moved to. */
export type Place = { before: string } | { to: 'front' | 'back' }

export interface Steps {
  up: Place | null
  down: Place | null
}

/** One step up and down for `job` among `jobs`, listed in their order. Only jobs of one tier stand in one line. */
export function stepsOf(jobs: readonly Job[], job: Job): Steps {
  const line = jobs.filter((other) => waits(other) && other.tier === job.tier)
  const at = line.findIndex((other) => other.id === job.id)
  if (at < 0) return { up: null, down: null }
  const above = line[at - 1]
  const overNext = line[at + 2]
  return {
    up: above ? { before: above.id } : null,
    down: at + 1 < line.length ? (overNext ? { before: overNext.id } : { to: 'back' }) : null,
  }
}

/** What is not over comes first, in its order; then what is over, newest first. */
export function activeFirst(a: Job, b: Job): number {
  const over = isTerminal(a.state)
  return Number(over) - Number(isTerminal(b.state)) || (over ? newestFirst(a, b) : inLine(a, b))
}

/** In their order: what is under way first, then what comes next, then what came first. */
function inLine(a: Job, b: Job): number {
  return (
    Number(a.state === 'queued') - Number(b.state === 'queued') ||
    (a.state === 'queued' ? (a.queue?.ahead ?? 0) - (b.queue?.ahead ?? 0) : 0) ||
    a.created_at.localeCompare(b.created_at) ||
    a.id.localeCompare(b.id)
  )
}

function waits(job: Job): boolean {
  return job.state === 'queued' && !job.cancel_requested
}
