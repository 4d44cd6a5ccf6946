/** Jobs and shots, as the server tells of them. A job is one order; a shot is one picture of it. */

import type { Image, Note } from './images'
import type { MailPromise } from './mail'
import type { Kind, Recipe } from './recipes'

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
  /** Until the last picture is done, and the range in which that should lie. Null while nothing was measured. */
  eta_seconds: number | null
  eta_low_seconds: number | null
  eta_high_seconds: number | null
  /** Why the next picture waits; null when it is simply next. */
  reason: string | null
}

/** Something that had to be done otherwise than asked for. */
export interface JobNote extends Note {
  /** For how many of the job's pictures. */
  pictures: number
}

export interface Job {
  id: string
  kind: Kind
  state: State
  tier: string
  created_at: string
  finished_at: string | null
  recipe: Recipe
  count: number
  cancel_requested: boolean
  retry_of: string | null
  /** Its shots by state. */
  counts: Record<State, number>
  /** Why its first failed shot failed. */
  error: ShotError | null
  /** None when a list has left them out; see {@link isWhole}. */
  shots: Shot[]
  /** Null once the job is terminal. */
  queue: QueuePlace | null
  /** The first few when a list has left the rest out. */
  images: Image[]
  notes: JobNote[]
  /** Null: nothing comes by mail, or the job is over. */
  mail: MailPromise | null
}

/** True when the job came with all its shots and images, false when a list has told only the gist of it. */
export function isWhole(job: Job): boolean {
  return job.shots.length === job.count
}

export function isTerminal(state: State): boolean {
  return state !== 'queued' && state !== 'running'
}

/** How far a job is, 0 to 1. A shot that ended counts as done, however it ended. */
export function progressOf(job: Job): number {
  if (isTerminal(job.state)) return 1
  if (!isWhole(job)) return (job.counts.succeeded + job.counts.failed + job.counts.cancelled) / job.count
  const done = job.shots.reduce((sum, shot) => sum + (isTerminal(shot.state) ? 1 : shot.progress), 0)
  return done / job.shots.length
}

export function countShots(job: Job, state: State): number {
  return isWhole(job) ? job.shots.filter((shot) => shot.state === state).length : job.counts[state]
}

/** The delivered image of a shot, if the job carries it. */
export function imageOf(job: Job, shot: Shot): Image | undefined {
  return job.images.find((image) => (shot.image_id ? image.id === shot.image_id : image.index === shot.index))
}

/** The first error among the shots: one reason is usually every shot's reason. */
export function firstError(job: Job): ShotError | null {
  return job.shots.find((shot) => shot.error && shot.state === 'failed')?.error ?? job.error
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

/** What went otherwise, for people: with how many of the job's pictures, where it has several. */
export function notesOf(job: Job): string[] {
  return job.notes.map(({ message, pictures }) =>
    job.count === 1 ? message : `${message.replace(/\.$/, '')} (${pictures} of ${countOf(job.count, 'picture')}).`,
  )
}
