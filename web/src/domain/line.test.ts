import { describe, expect, it } from 'vitest'

import type { Job, State } from './jobs'
import { activeFirst, stepsOf } from './line'

function job(id: string, more: Partial<Job> = {}): Job {
  return {
    id, kind: 'text', state: 'queued', tier: 'normal', created_at: '2026-01-01T00:00:00Z', finished_at: null,
    recipe: {} as Job['recipe'], count: 1, cancel_requested: false, retry_of: null,
    counts: { queued: 1, running: 0, succeeded: 0, failed: 0, cancelled: 0 }, error: null, shots: [],
    queue: { ahead: 0, eta_seconds: null, eta_low_seconds: null, eta_high_seconds: null, reason: null }, images: [], notes: [], mail: null, ...more,
  }
}

describe('stepsOf', () => {
  it('leads one step up and down, and no further than the ends', () => {
    const line = [job('a'), job('b'), job('c')]
    expect(line.map((one) => stepsOf(line, one))).toEqual([
      { up: null, down: { before: 'c' } },
      { up: { before: 'a' }, down: { to: 'back' } },
      { up: { before: 'b' }, down: null },
    ])
  })

  it('keeps to the tier, and leaves alone what has begun or is being stopped', () => {
    const line = [job('r', { state: 'running' }), job('p', { tier: 'premium' }), job('a'), job('x', { cancel_requested: true })]
    for (const one of line) expect(stepsOf(line, one)).toEqual({ up: null, down: null })
  })
})

describe('activeFirst', () => {
  it('lists what draws, then what waits in its turn, then what is over', () => {
    const place = (ahead: number) => ({ queue: { ahead, eta_seconds: null, eta_low_seconds: null, eta_high_seconds: null, reason: null } })
    const states: [string, State, number][] = [
      ['done', 'succeeded', 0], ['late', 'queued', 5], ['soon', 'queued', 1], ['now', 'running', 9],
    ]
    const listed = states.map(([id, state, ahead]) => job(id, { state, ...place(ahead) })).sort(activeFirst)
    expect(listed.map((one) => one.id)).toEqual(['now', 'soon', 'late', 'done'])
  })
})
