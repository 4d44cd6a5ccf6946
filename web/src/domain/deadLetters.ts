/** Dead letters: pictures that failed for good, kept to be looked at. */

import { countOf, type ShotError } from './jobs'
import type { Recipe } from './recipes'

export interface DeadLetter {
  id: string
  job_id: string
  account: string
  /** Of the picture in its job, from 0. */
  index: number
  tier: string
  pool: string
  checkpoint: string
  /** Who tried it last. */
  agent: string | null
  error: ShotError | null
  /** Attempts that failed. */
  errors: number
  /** Attempts whose agent was lost. */
  losses: number
  ended_at: string
  recipe: Recipe
}

export interface Attempt {
  attempt: number
  agent: string
  error: ShotError
  ended_at: string
}

export interface WholeDeadLetter extends DeadLetter {
  attempts: Attempt[]
}

/** "Failed 3 times, its agent was lost once": what became of all attempts. */
export function historyOf({ errors, losses }: Pick<DeadLetter, 'errors' | 'losses'>): string {
  const parts = [
    ...(errors > 0 ? [`failed ${times(errors)}`] : []),
    ...(losses > 0 ? [`its agent was lost ${times(losses)}`] : []),
  ]
  return parts.join(', ') || 'given up'
}

function times(count: number): string {
  return count === 1 ? 'once' : countOf(count, 'time')
}
