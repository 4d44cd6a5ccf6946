import { describe, expect, it } from 'vitest'

import { aJob, anImage, aShot } from './fixtures'
import { tally } from './jobs'
import { EMPTY_BOARD, fold, previewKey, type Board, type News } from './jobBoard'

function told(...news: News[]): Board {
  return news.reduce(fold, EMPTY_BOARD)
}

const RUNNING = aJob({ state: 'running', shots: [aShot({ state: 'running', progress: 0.4 }), aShot({ index: 1 })] })
const DONE = aJob({
  state: 'succeeded',
  finished_at: '2026-11-20T12:00:05Z',
  shots: [aShot({ state: 'succeeded', progress: 1, image_id: 'i1' })],
  images: [anImage()],
})

describe('jobs', () => {
  it('are known once listed', () => {
    expect(told({ type: 'listed', jobs: [aJob(), aJob({ id: 'j2' })] }).jobs).toHaveProperty('j2')
  })

  it('do not come back to life through a late answer', () => {
    const board = told({ type: 'job', job: DONE }, { type: 'listed', jobs: [aJob({ state: 'running' })] })
    expect(board.jobs.j1).toEqual(DONE)
  })

  it('keep the later telling of each shot', () => {
    const stale = aJob({ state: 'running', shots: [aShot({ state: 'running', progress: 0.1 }), aShot({ index: 1 })] })
    const board = told({ type: 'job', job: RUNNING }, { type: 'job', job: stale })
    expect(board.jobs.j1?.shots[0]?.progress).toBe(0.4)
  })

  it('let a shot go back to the queue when its lease was lost', () => {
    const released = aJob({ state: 'running', shots: [aShot(), aShot({ index: 1, state: 'running' })] })
    expect(told({ type: 'job', job: RUNNING }, { type: 'job', job: released }).jobs.j1?.shots[0]?.state).toBe('queued')
  })
})

describe('the gist of a job, as lists tell it,', () => {
  const gist = { ...RUNNING, shots: [], images: [] }

  it('leaves what is known in whole as it is', () => {
    expect(told({ type: 'job', job: RUNNING }, { type: 'listed', jobs: [gist] }).jobs.j1?.shots).toEqual(RUNNING.shots)
  })

  it('takes the place of what is out of date', () => {
    const ended = { ...DONE, count: 2, counts: { ...DONE.counts, succeeded: 2 }, shots: [] }
    const job = told({ type: 'job', job: RUNNING }, { type: 'listed', jobs: [ended] }).jobs.j1
    expect(job?.shots).toEqual([])
    expect(job && tally(job)).toBe('2 pictures')
  })
})

describe('news of a shot', () => {
  it('makes a queued job run', () => {
    const news: News = { type: 'shot', shot: { ...aShot({ state: 'running', progress: 0.1 }), job_id: 'j1' } }
    expect(told({ type: 'job', job: aJob() }, news).jobs.j1?.state).toBe('running')
  })

  it('of an unknown job changes nothing: the next refetch brings the job', () => {
    const news: News = { type: 'shot', shot: { ...aShot(), job_id: 'unknown' } }
    expect(told(news)).toBe(EMPTY_BOARD)
  })

  it('after the shot ended changes nothing', () => {
    const ended = aJob({ state: 'running', shots: [aShot({ state: 'failed' }), aShot({ index: 1 })] })
    const late: News = { type: 'shot', shot: { ...aShot({ state: 'running', progress: 0.9 }), job_id: 'j1' } }
    expect(told({ type: 'job', job: ended }, late).jobs.j1?.shots[0]?.state).toBe('failed')
  })

  it('keeps the job id out of the shot', () => {
    const news: News = { type: 'shot', shot: { ...aShot({ state: 'running' }), job_id: 'j1' } }
    expect(told({ type: 'job', job: aJob() }, news).jobs.j1?.shots[0]).not.toHaveProperty('job_id')
  })
})

describe('previews', () => {
  const preview: News = { type: 'preview', preview: { job_id: 'j1', index: 0, progress: 0.6, image: 'data:a' } }

  it('carry progress with them', () => {
    const board = told({ type: 'job', job: RUNNING }, preview)
    expect(board.previews[previewKey('j1', 0)]).toBe('data:a')
    expect(board.jobs.j1?.shots[0]?.progress).toBe(0.6)
  })

  it('stay until the picture itself is known', () => {
    const shotDone: News = { type: 'shot', shot: { ...aShot({ state: 'succeeded', image_id: 'i1' }), job_id: 'j1' } }
    const before = told({ type: 'job', job: RUNNING }, preview, shotDone)
    expect(before.previews).not.toEqual({})
    expect(fold(before, { type: 'job', job: DONE }).previews).toEqual({})
  })

  it('of a cancelled job are not kept', () => {
    const cancelled = aJob({ state: 'cancelled', shots: [aShot({ state: 'cancelled' })] })
    expect(told({ type: 'job', job: RUNNING }, preview, { type: 'job', job: cancelled }).previews).toEqual({})
    expect(told({ type: 'job', job: cancelled }, preview).previews).toEqual({})
  })
})

describe('images', () => {
  it('join their job once, in the order of its shots', () => {
    const board = told(
      { type: 'job', job: aJob({ shots: [aShot(), aShot({ index: 1 })] }) },
      { type: 'image', image: anImage({ id: 'second', index: 1 }) },
      { type: 'image', image: anImage({ id: 'first', index: 0 }) },
      { type: 'image', image: anImage({ id: 'first', index: 0, starred: true }) },
    )
    expect(board.jobs.j1?.images.map((image) => [image.id, image.starred])).toEqual([['first', true], ['second', false]])
  })

  it('leave their job when they are deleted', () => {
    expect(told({ type: 'job', job: DONE }, { type: 'gone', imageId: 'i1' }).jobs.j1?.images).toEqual([])
  })
})
