/**
 * The board of known jobs and the one rule by which news changes it.
 *
 * News comes by two roads: REST answers and Socket.IO events. They may arrive late, twice or in the wrong order, so
 * the rule trusts the life of a job rather than the order of arrival: a terminal state absorbs, and progress within a
 * running shot does not go back.
 */

import type { Image } from './images'
import { imageOf, isTerminal, isWhole, type Job, type Shot } from './jobs'

export interface Board {
  readonly jobs: Readonly<Record<string, Job>>
  /** Forming pictures, as data URLs, under {@link previewKey}. */
  readonly previews: Readonly<Record<string, string>>
}

export type ShotNews = Shot & { job_id: string }

export interface Preview {
  job_id: string
  index: number
  progress: number
  /** A data URL. */
  image: string
}

export type News =
  | { type: 'listed'; jobs: Job[] }
  | { type: 'job'; job: Job }
  | { type: 'shot'; shot: ShotNews }
  | { type: 'image'; image: Image }
  | { type: 'preview'; preview: Preview }
  | { type: 'gone'; imageId: string }

export const EMPTY_BOARD: Board = { jobs: {}, previews: {} }

export function previewKey(jobId: string, index: number): string {
  return `${jobId}:${index}`
}

export function fold(board: Board, news: News): Board {
  switch (news.type) {
    case 'listed':
      return news.jobs.reduce(withJob, board)
    case 'job':
      return withJob(board, news.job)
    case 'shot':
      return withShot(board, news.shot)
    case 'image':
      return withImage(board, news.image)
    case 'preview':
      return withPreview(board, news.preview)
    case 'gone':
      return withoutImage(board, news.imageId)
  }
}

function withJob(board: Board, job: Job): Board {
  const known = board.jobs[job.id]
  return settled({ ...board, jobs: { ...board.jobs, [job.id]: known ? merge(known, job) : job } }, job.id)
}

function merge(known: Job, told: Job): Job {
  if (isTerminal(known.state) && !isTerminal(told.state)) return known
  // A list tells the gist only. What is known in whole stays, unless the job has ended meanwhile: then it is out of date.
  if (!isWhole(told) && isWhole(known) && isTerminal(known.state) === isTerminal(told.state)) {
    return { ...told, shots: known.shots, images: known.images }
  }
  const before = new Map(known.shots.map((shot) => [shot.index, shot]))
  return { ...told, shots: told.shots.map((shot) => later(before.get(shot.index), shot)) }
}

/** Which of two tellings of one shot is further on in its life. */
function later(known: Shot | undefined, told: Shot): Shot {
  if (!known) return told
  if (isTerminal(known.state) && !isTerminal(told.state)) return known
  if (known.state === 'running' && told.state === 'running' && known.progress > told.progress) return known
  return told
}

function withShot(board: Board, news: ShotNews): Board {
  const job = board.jobs[news.job_id]
  if (!job || isTerminal(job.state)) return board
  const shots = job.shots.map((shot) => (shot.index === news.index ? later(shot, shotOf(news)) : shot))
  const state = job.state === 'queued' && shots.some((shot) => shot.state !== 'queued') ? 'running' : job.state
  return settled({ ...board, jobs: { ...board.jobs, [job.id]: { ...job, state, shots } } }, job.id)
}

function shotOf({ index, state, progress, image_id, seed, error }: ShotNews): Shot {
  return { index, state, progress, image_id, seed, error }
}

function withImage(board: Board, image: Image): Board {
  const job = board.jobs[image.job_id]
  if (!job) return board
  const known = job.images.some((other) => other.id === image.id)
  const images = known
    ? job.images.map((other) => (other.id === image.id ? image : other))
    : [...job.images, image].sort((a, b) => a.index - b.index)
  return { ...board, jobs: { ...board.jobs, [job.id]: { ...job, images } } }
}

function withPreview(board: Board, preview: Preview): Board {
  const job = board.jobs[preview.job_id]
  const shot = job?.shots.find((other) => other.index === preview.index)
  if (!job || !shot || isTerminal(job.state) || isTerminal(shot.state)) return board
  const told: ShotNews = { ...shot, job_id: job.id, state: 'running', progress: preview.progress }
  const next = withShot(board, told)
  return { ...next, previews: { ...next.previews, [previewKey(job.id, preview.index)]: preview.image } }
}

function withoutImage(board: Board, imageId: string): Board {
  const job = Object.values(board.jobs).find((other) => other.images.some((image) => image.id === imageId))
  if (!job) return board
  const images = job.images.filter((image) => image.id !== imageId)
  return { ...board, jobs: { ...board.jobs, [job.id]: { ...job, images } } }
}

/** Drops the previews of a job's shots that need none any more: the picture is there, or never will be. */
function settled(board: Board, jobId: string): Board {
  const job = board.jobs[jobId]
  if (!job) return board
  const over = job.shots
    .filter((shot) => (shot.state === 'succeeded' ? imageOf(job, shot) : shot.state !== 'running'))
    .map((shot) => previewKey(jobId, shot.index))
    .filter((key) => key in board.previews)
  if (over.length === 0) return board
  return { ...board, previews: Object.fromEntries(Object.entries(board.previews).filter(([key]) => !over.includes(key))) }
}
