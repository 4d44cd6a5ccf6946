import { describe, expect, it } from 'vitest'

import { draftFrom, draftOf, filled, FRESH_DRAFT, moved, resized, restoreDraft, scaleBetween, scaledSize } from './drafts'
import { aRecipe } from './fixtures'
import { orderOf } from './orders'
import type { Recipe } from './recipes'

it('draws the same picture again from its recipe', () => {
  const recipe = aRecipe({ seed: '9223372036854775807', width: 320, height: 224, negative_prompt: 'clouds' })
  expect(orderOf(draftOf(recipe, FRESH_DRAFT))).toMatchObject({
    prompt: recipe.prompt, negative_prompt: 'clouds', seed: '9223372036854775807', width: 320, height: 224, count: 1,
  })
})

/** What a recipe says and what an order made of it asks for, where both speak of it. */
function askedAgain(recipe: Recipe): Record<string, unknown> {
  const order = orderOf(draftOf(recipe, { ...FRESH_DRAFT, hires: true, onlyMasked: true, others: { eta: 1 } }))
  return Object.fromEntries(Object.keys(recipe.options).map((name) => [name, order[name]]))
}

describe('a picture taken over with all that it was made of', () => {
  it.each([
    { kind: 'image', options: { input: 's', denoising_strength: 0.3, resize_mode: 3 } },
    { kind: 'inpaint', options: {
      input: 's', mask: 'm', denoising_strength: 0.9, mask_blur: 0, inpainting_fill: 0, inpaint_full_res: true,
      inpaint_full_res_padding: 0, inpainting_mask_invert: 1,
    } },
    { kind: 'text', options: {
      enable_hr: true, hr_resize_x: 600, hr_resize_y: 512, hr_upscaler: 'Lanczos', hr_second_pass_steps: 9,
      denoising_strength: 0.5, hr_sampler_name: 'Euler', hr_scheduler: 'Karras', hr_prompt: 'b', hr_negative_prompt: 'c',
    } },
    { kind: 'text', options: { refiner_checkpoint: 'r', refiner_switch_at: 0.6, subseed: '12', subseed_strength: 0.4, clip_skip: 2 } },
  ] satisfies Partial<Recipe>[])('$kind $options', (with_) => {
    const recipe = aRecipe(with_)
    expect(askedAgain(recipe)).toEqual(recipe.options)
    expect(orderOf(draftOf(recipe, FRESH_DRAFT)).kind ?? 'text').toBe(recipe.kind)
  })

  it('finds the scale again that a second pass was ordered by', () => {
    const draft = draftOf(aRecipe({ options: { enable_hr: true, hr_resize_x: 512, hr_resize_y: 512 } }), FRESH_DRAFT)
    expect(draft).toMatchObject({ hiresScale: 2, hiresWidth: null, hiresHeight: null })
    for (const scale of [1, 1.25, 1.33, 1.5, 2, 3.35]) {
      const from = { width: 248, height: 320 }
      const again = scaleBetween(from, scaledSize(from, scale))
      expect(again && scaledSize(from, again)).toEqual(scaledSize(from, scale))
    }
  })
})

describe('a picture to start from', () => {
  it('brings its words and settings, and a new seed', () => {
    const recipe = aRecipe({ steps: 12, options: { enable_hr: true, hr_resize_x: 512, hr_resize_y: 512, clip_skip: 2 } })
    const draft = draftFrom(recipe, { id: 'i1', from: 'image' }, { width: 320, height: 200 }, { ...FRESH_DRAFT, mask: 'old' })
    expect(draft).toMatchObject({ source: { id: 'i1', from: 'image' }, mask: null, steps: 12, seed: '', hires: false, width: 320, others: {} })
  })

  it('leaves the form alone where the picture was only enlarged', () => {
    const recipe = aRecipe({ kind: 'upscale', prompt: '', steps: 99 })
    const form = { ...FRESH_DRAFT, prompt: 'mine', steps: 20 }
    expect(draftFrom(recipe, { id: 'i1', from: 'image' }, { width: 320, height: 200 }, form)).toMatchObject({ prompt: 'mine', steps: 20 })
  })
})

describe('a stored draft', () => {
  it('comes back as it was', () => {
    const draft = { ...FRESH_DRAFT, prompt: 'a tree', steps: null, seed: '7', source: { id: 's', from: 'image' as const }, others: { eta: 1 } }
    expect(restoreDraft(JSON.parse(JSON.stringify(draft)))).toEqual(draft)
  })

  it('loses what does not fit', () => {
    expect(restoreDraft({ steps: '20', width: NaN, seed: '-1', format: 'gif', unknown: 1, prompt: 'a', source: { id: 1 }, maskFill: 9, others: [] })).toEqual({
      ...FRESH_DRAFT, prompt: 'a',
    })
    expect(restoreDraft(null)).toEqual(FRESH_DRAFT)
  })
})

describe('a change of checkpoint', () => {
  const usual = { steps: 20, sampler: 'DPM++ 2M', schedule: 'Automatic', cfg_scale: 7 }
  const turbo = { steps: 4, sampler: 'Euler a', schedule: 'SGM Uniform', cfg_scale: 1 }

  it('moves what stands at the defaults, there and back', () => {
    const draft = { ...FRESH_DRAFT, steps: 20, guidance: 7, sampler: 'DPM++ 2M', schedule: 'Automatic' }
    const there = { ...draft, ...moved(draft, usual, turbo) }
    expect(there).toMatchObject({ steps: 4, guidance: 1, sampler: 'Euler a', schedule: 'SGM Uniform' })
    expect({ ...there, ...moved(there, turbo, usual) }).toEqual(draft)
  })

  it('leaves what was changed, and what is open', () => {
    const changed = { ...FRESH_DRAFT, steps: 8, guidance: null, sampler: 'Euler', schedule: null }
    expect({ ...changed, ...moved(changed, usual, turbo) }).toEqual(changed)
  })

  it('fills the numbers that nobody set', () => {
    expect(filled({ ...FRESH_DRAFT, width: 512, guidance: 0 }, 256, turbo)).toEqual({ width: 512, height: 256, steps: 4, guidance: 0 })
  })

  it('keeps the shape at the new native size', () => {
    expect(resized({ width: 256, height: 256 }, 256, 512)).toEqual({ width: 512, height: 512 })
  })

  it('keeps the proportions of a picture that is started from', () => {
    expect(resized({ width: 360, height: 184 }, 256, 512)).toEqual({ width: 720, height: 368 })
  })

  it('leaves alone a size that was typed', () => {
    expect(resized({ width: 264, height: 200 }, 256, 512)).toEqual({ width: 264, height: 200 })
  })
})
