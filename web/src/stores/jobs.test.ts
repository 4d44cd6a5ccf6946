import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it, vi } from 'vitest'

import * as api from '@/api/jobs'
import { aJob, aShot } from '@/domain/fixtures'

import { useJobs } from './jobs'

vi.mock('@/api/jobs')

beforeEach(() => {
  vi.resetAllMocks()
  setActivePinia(createPinia())
})

it('asks for an active job that the newest page no longer lists', async () => {
  const jobs = useJobs()
  jobs.apply({ type: 'job', job: aJob({ id: 'old', state: 'running' }) })
  vi.mocked(api.listJobs).mockResolvedValue({ items: [aJob({ id: 'new' })], next_cursor: null })
  vi.mocked(api.getJob).mockResolvedValue(aJob({ id: 'old', state: 'succeeded' }))

  await jobs.refresh()

  expect(api.getJob).toHaveBeenCalledExactlyOnceWith('old')
  expect(jobs.active.map((job) => job.id)).toEqual(['new'])
})

it('asks for all of what is under way, of which the list tells the gist', async () => {
  const jobs = useJobs()
  const whole = aJob({ id: 'a', state: 'running', shots: [aShot({ state: 'running' }), aShot({ index: 1 })] })
  const over = aJob({ id: 'b', state: 'succeeded', count: 2, shots: [] })
  vi.mocked(api.listJobs).mockResolvedValue({ items: [{ ...whole, shots: [] }, over], next_cursor: null })
  vi.mocked(api.getJob).mockResolvedValue(whole)

  await jobs.refresh()

  expect(api.getJob).toHaveBeenCalledExactlyOnceWith('a')
  expect(jobs.byId('a')?.shots).toHaveLength(2)
})

it('is loaded by an answer only', async () => {
  const jobs = useJobs()
  vi.mocked(api.listJobs).mockRejectedValueOnce(new Error('no answer'))
  await expect(jobs.refresh()).rejects.toThrow('no answer')
  expect(jobs.loaded).toBe(false)
  vi.mocked(api.listJobs).mockResolvedValue({ items: [], next_cursor: null })
  await jobs.refresh()
  expect(jobs.loaded).toBe(true)
})

it('pages through older jobs without losing its place to a refresh', async () => {
  const jobs = useJobs()
  vi.mocked(api.listJobs).mockResolvedValueOnce({ items: [aJob({ id: 'b' })], next_cursor: 'page 2' })
  await jobs.refresh()
  vi.mocked(api.listJobs).mockResolvedValueOnce({ items: [aJob({ id: 'a' })], next_cursor: null })
  await jobs.loadMore()
  expect(api.listJobs).toHaveBeenLastCalledWith(expect.objectContaining({ cursor: 'page 2' }))
  vi.mocked(api.listJobs).mockResolvedValue({ items: [aJob({ id: 'b' })], next_cursor: 'page 2' })
  vi.mocked(api.getJob).mockImplementation((id) => Promise.resolve(aJob({ id })))
  await jobs.refresh()
  expect(jobs.nextCursor).toBeNull()
  expect(jobs.all).toHaveLength(2)
})

it('weighs progress by pictures, over everything under way', () => {
  const jobs = useJobs()
  expect(jobs.progress).toBeNull()
  jobs.apply({ type: 'job', job: aJob({ id: 'one', state: 'running', shots: [aShot({ state: 'running', progress: 1 })] }) })
  jobs.apply({ type: 'job', job: aJob({ id: 'three', shots: [0, 1, 2].map((index) => aShot({ index })) }) })
  expect(jobs.progress).toBeCloseTo(0.25)
})
