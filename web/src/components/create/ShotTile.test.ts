// @vitest-environment happy-dom
import { mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'
import { nextTick } from 'vue'

import { aJob, anImage, aShot } from '@/domain/fixtures'
import type { Job, Shot } from '@/domain/jobs'
import { useJobs } from '@/stores/jobs'

import ShotTile from './ShotTile.vue'

beforeEach(() => setActivePinia(createPinia()))

function tile(shot: Partial<Shot>, job: Partial<Job> = {}) {
  const whole = aJob({ shots: [aShot(shot)], state: 'running', ...job })
  useJobs().apply({ type: 'job', job: whole })
  return mount(ShotTile, { props: { job: whole, shot: aShot(shot) } })
}

describe('a picture', () => {
  it('that waits says so', () => {
    expect(tile({ state: 'queued' }).text()).toBe('Waiting')
  })

  it('that forms shows its preview and how far it is', async () => {
    const wrapper = tile({ state: 'running', progress: 0.42 })
    useJobs().apply({ type: 'preview', preview: { job_id: 'j1', index: 0, progress: 0.42, image: 'data:image/jpeg;base64,AA' } })
    await nextTick()
    expect(wrapper.get('img').attributes('src')).toBe('data:image/jpeg;base64,AA')
    expect(wrapper.get('[role=progressbar]').attributes('aria-valuenow')).toBe('42')
  })

  it('that is there can be opened', async () => {
    const image = anImage()
    const wrapper = tile({ state: 'succeeded', image_id: image.id }, { images: [image] })
    expect(wrapper.get('img').attributes('src')).toBe('/api/v1/images/i1/file')
    await wrapper.get('button').trigger('click')
    expect(wrapper.emitted('open')).toEqual([[image]])
  })

  it('keeps the last preview in sight until it is decoded', async () => {
    const image = anImage()
    const wrapper = tile({ state: 'running', progress: 0.9 })
    useJobs().apply({ type: 'preview', preview: { job_id: 'j1', index: 0, progress: 0.9, image: 'data:last' } })
    await nextTick()
    const shot = aShot({ state: 'succeeded', image_id: image.id })
    const done = aJob({ state: 'succeeded', shots: [shot], images: [image] })
    useJobs().apply({ type: 'job', job: done })
    await wrapper.setProps({ job: done, shot })
    const sources = () => wrapper.findAll('img').map((img) => img.attributes('src'))
    expect(sources()).toEqual(['data:last', '/api/v1/images/i1/file'])
    await wrapper.get('button img').trigger('load')
    expect(sources()).toEqual(['/api/v1/images/i1/file'])
  })

  it('that failed says why and what to do', () => {
    const error = { code: 'out_of_memory', message: 'The device has too little memory.', hint: 'Choose a smaller size.' }
    expect(tile({ state: 'failed', error }).text()).toContain('Choose a smaller size.')
  })

  it('that was deleted is not waited for', () => {
    const wrapper = tile({ state: 'succeeded', image_id: 'i1' }, { state: 'succeeded', finished_at: '2026-11-20T12:00:05Z' })
    expect(wrapper.text()).toContain('In the trash')
  })
})
