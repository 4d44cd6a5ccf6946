/** Jobs and shots, as the server tells of them. A job is one order; a shot is one picture of it. */

import type { Image } from './images'
import type { Recipe } from './recipes'

export type State = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

export interface ShotError {
  code: string
  message: string
  hint: string
}

export interface Shot {
  index: number
  state: State
  /** 0 to 1. */
  progress: number
  image_id: string | null
  seed: string
  error: ShotError | null
}

export interface QueuePlace {
  /** Shots that will be claimed before this job's next one. */
  ahead: number
  eta_seconds: number | null
  reason: string | null
}

export interface Job {
  id: string
  kind: 'text'
  state: State
  tier: string
  created_at: string
  finished_at: string | null
  recipe: Recipe
  count: number
  cancel_requested: boolean
  retry_of: string | null
  shots: Shot[]
  /** Null once the job is terminal. */
  queue: QueuePlace | null
  images: Image[]
}

export function isTerminal(state: State): boolean {
  return state !== 'queued' && state !== 'running'
}

/** How far a job is, 0 to 1. A shot that ended counts as done, however it ended. */
export function progressOf(job: Job): number {
  if (isTerminal(job.state)) return 1
  if (job.shots.length === 0) return 0
  const done = job.shots.reduce((sum, shot) => sum + (isTerminal(shot.state) ? 1 : shot.progress), 0)
  return done / job.shots.length
}

export function countShots(job: Job, state: State): number {
  return job.shots.filter((shot) => shot.state === state).length
}

/** The delivered image of a shot, if the job carries it. */
export function imageOf(job: Job, shot: Shot): Image | undefined {
  return job.images.find((image) => (shot.image_id ? image.id === shot.image_id : image.index === shot.index))
}

/** The first error among the shots: one reason is usually every shot's reason. */
export function firstError(job: Job): ShotError | null {
  return job.shots.find((shot) => shot.error && shot.state === 'failed')?.error ?? null
}

/** Newest first; jobs of the same moment keep a fixed order. */
export function newestFirst(a: Job, b: Job): number {
  return b.created_at.localeCompare(a.created_at) || b.id.localeCompare(a.id)
}

/** "1 picture", "4 pictures". */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** "3 of 4 pictures", "1 picture": what a job has brought so far. */
export function tally(job: Job): string {
  const done = countShots(job, 'succeeded')
  return `${done === job.count ? '' : `${done} of `}${countOf(job.count, 'picture')}`
}
