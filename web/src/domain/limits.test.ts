import { describe, expect, it } from 'vitest'

import { limitFacts, type Allowance, type Usage } from './limits'

const OPEN: Allowance = {
  tier: { name: 'premium', deadline_seconds: 15, weight: 4, retention_days: null },
  used: [usage('queued', 10_000, 12), usage('running', null, 3), usage('pictures_a_day', null, 40)],
  pixels: null,
  steps: null,
  count: null,
  checkpoints: null,
  kinds: null,
}

function usage(name: Usage['name'], most: number | null, used: number, frees_at: string | null = null): Usage {
  return { name, most, used, left: most === null ? null : most - used, frees_at, is_own: false }
}

describe('limits', () => {
  it('says nothing of what is not limited', () => {
    expect(limitFacts(OPEN)).toEqual(['Tier premium', '12 of 10,000 places in the queue taken'])
  })

  it('says what is left of a day and when more comes', () => {
    const frees = new Date(2026, 0, 1, 9, 5).toISOString()
    const used = [usage('running', 4, 1), usage('pictures_a_day', 200, 37, frees), usage('device_seconds_a_day', 60, 1.6)]
    const evening = new Date(2025, 11, 31, 21, 0)
    expect(limitFacts({ ...OPEN, used }, evening)).toContain('163 of 200 pictures left today, more from 09:05 tomorrow')
    const morning = new Date(2026, 0, 1, 8, 0)
    expect(limitFacts({ ...OPEN, used }, morning).slice(1)).toEqual([
      '4 may be drawn at once',
      '163 of 200 pictures left today, more from 09:05',
      '58 of 60 seconds of drawing left today',
    ])
  })

  it('says what a picture may be', () => {
    const facts = limitFacts({
      ...OPEN,
      tier: { ...OPEN.tier, retention_days: 90 },
      used: [],
      steps: 50,
      count: 8,
      pixels: 1_048_576,
      kinds: ['text', 'image'],
      checkpoints: ['postcard', 'sd15-*'],
    })
    expect(facts.slice(1)).toEqual([
      'up to 50 steps',
      'up to 8 pictures a job',
      'up to 1.05 megapixels',
      'only text, image',
      'only the checkpoints postcard, sd15-*',
      'pictures are kept 90 days',
    ])
  })
})
