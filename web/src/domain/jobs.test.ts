import { expect, it } from 'vitest'

import { aJob, anImage, aShot } from './fixtures'
import { firstError, imageOf, notesOf, progressOf, tally } from './jobs'
import { activeFirst } from './line'

it('counts an ended shot as done, however it ended', () => {
  const job = aJob({
    state: 'running',
    shots: [aShot({ state: 'failed' }), aShot({ index: 1, state: 'running', progress: 0.5 }), aShot({ index: 2 })],
  })
  expect(progressOf(job)).toBeCloseTo(0.5)
})

it('says how many pictures there are', () => {
  const done = aShot({ state: 'succeeded' })
  expect(tally(aJob({ shots: [done] }))).toBe('1 picture')
  expect(tally(aJob({ shots: [done, aShot({ index: 1 })] }))).toBe('1 of 2 pictures')
})

it('lists what is under way in its turn, before what is over', () => {
  const old = aJob({ id: 'old', state: 'running', created_at: '2026-11-20T10:00:00Z' })
  const done = aJob({ id: 'done', state: 'succeeded', created_at: '2026-11-20T12:00:00Z' })
  const newer = aJob({ id: 'newer', state: 'queued', created_at: '2026-11-20T11:00:00Z' })
  const older = aJob({ id: 'older', state: 'failed', created_at: '2026-11-20T11:30:00Z' })
  expect([older, newer, done, old].sort(activeFirst).map((job) => job.id)).toEqual(['old', 'newer', 'done', 'older'])
})

it('finds the image of a shot by its id', () => {
  const job = aJob({ images: [anImage({ id: 'other' }), anImage({ id: 'mine', index: 3 })] })
  expect(imageOf(job, aShot({ image_id: 'mine' }))?.id).toBe('mine')
})

it('gives the reason of a failed shot, not one that was retried', () => {
  const error = { code: 'out_of_memory', message: 'Too large.', hint: 'Draw smaller.' }
  expect(firstError(aJob({ shots: [aShot({ state: 'running', error })] }))).toBeNull()
  expect(firstError(aJob({ shots: [aShot({ state: 'failed', error })] }))).toEqual(error)
})

it('tells what went otherwise, and for how many of several pictures', () => {
  const notes = [{ code: 'tiled_decode', message: 'Memory ran short.', pictures: 1 }]
  expect(notesOf(aJob({ notes }))).toEqual(['Memory ran short.'])
  expect(notesOf(aJob({ notes, shots: [aShot(), aShot({ index: 1 })] }))).toEqual([
    'Memory ran short (1 of 2 pictures).',
  ])
  expect(notesOf(aJob())).toEqual([])
})
