import { describe, expect, it } from 'vitest'

import { FRESH_DRAFT, type Draft } from './drafts'
import { fieldOf, kindOf, orderOf, upscaleOrder } from './orders'

function aDraft(with_: Partial<Draft> = {}): Draft {
  return { ...FRESH_DRAFT, prompt: 'a tree', ...with_ }
}
const source = { id: 's1', from: 'input' } as const

it('leaves to the server what was left empty', () => {
  expect(orderOf(aDraft({ prompt: ' a tree ', steps: null }))).toEqual({
    prompt: 'a tree', count: 1, format: 'webp', quality: 90,
  })
})

it('names no quality for PNG, which has none', () => {
  expect(orderOf(aDraft({ format: 'png' }))).not.toHaveProperty('quality')
})

it('passes on what is out of range, for the server to say so', () => {
  expect(orderOf(aDraft({ steps: 0 }))).toMatchObject({ steps: 0 })
})

describe('an order from a picture', () => {
  it('says what to start from and how strongly, and nothing of a second pass', () => {
    const order = orderOf(aDraft({ source, strength: 0.4, resizeMode: 1, hires: true }))
    expect(order).toMatchObject({ kind: 'image', input: 's1', denoising_strength: 0.4, resize_mode: 1 })
    expect(Object.keys(order).filter((name) => name.includes('hr') || name.includes('mask'))).toEqual([])
  })

  it('takes a mask along with what belongs to it', () => {
    const draft = aDraft({ source, mask: 'm1', maskFill: 0, maskBlur: 8, maskInverted: true, resizeMode: 2 })
    expect(kindOf(draft)).toBe('inpaint')
    expect(orderOf(draft)).toMatchObject({
      kind: 'inpaint', input: 's1', mask: 'm1', inpainting_fill: 0, mask_blur: 8, inpainting_mask_invert: 1, resize_mode: 2,
    })
    expect(orderOf(draft)).not.toHaveProperty('inpaint_full_res_padding')
  })

  it('names no way to resize where nothing is resized, nor latents under a mask', () => {
    const only = orderOf(aDraft({ source, mask: 'm1', onlyMasked: true, padding: 48, resizeMode: 1 }))
    expect(only).toMatchObject({ inpaint_full_res: true, inpaint_full_res_padding: 48 })
    expect(only).not.toHaveProperty('resize_mode')
    expect(orderOf(aDraft({ source, mask: 'm1', resizeMode: 3 }))).not.toHaveProperty('resize_mode')
  })
})

describe('a second pass', () => {
  it('goes by scale', () => {
    const order = orderOf(aDraft({ hires: true, hiresScale: 1.5, hiresUpscaler: 'Lanczos', hiresStrength: 0.4 }))
    expect(order).toMatchObject({ enable_hr: true, hr_scale: 1.5, hr_upscaler: 'Lanczos', denoising_strength: 0.4 })
    expect(order).not.toHaveProperty('hr_prompt')
  })

  it('goes by size when one is given', () => {
    const order = orderOf(aDraft({ hires: true, hiresWidth: 512 }))
    expect(order).toMatchObject({ hr_resize_x: 512 })
    expect(order).not.toHaveProperty('hr_scale')
  })
})

it('names a refiner with its moment, and no moment without one', () => {
  expect(orderOf(aDraft({ refiner: 'r', refinerSwitchAt: 0.7 }))).toMatchObject({ refiner_checkpoint: 'r', refiner_switch_at: 0.7 })
  expect(orderOf(aDraft())).not.toHaveProperty('refiner_switch_at')
})

it('orders again what has no field of its own', () => {
  expect(orderOf(aDraft({ others: { subseed: '9', subseed_strength: 0.5 } }))).toMatchObject({ subseed: '9', subseed_strength: 0.5 })
})

it('enlarges a picture under the words it was drawn from', () => {
  expect(upscaleOrder({ id: 'i1', prompt: 'a tree' }, 2, 'Nearest')).toEqual({
    kind: 'upscale', prompt: 'a tree', input: 'i1', scale: 2, upscaler: 'Nearest',
  })
})

it('finds the field that the server speaks of', () => {
  expect(fieldOf('cfg_scale', aDraft())).toBe('guidance')
  expect(fieldOf('denoising_strength', aDraft({ source }))).toBe('strength')
  expect(fieldOf('denoising_strength', aDraft({ hires: true }))).toBe('hiresStrength')
  expect(fieldOf('eta', aDraft({ others: { eta: 2 } }))).toBe('others')
  expect(fieldOf('tier', aDraft())).toBeUndefined()
})
