import { expect, it } from 'vitest'

import { factsOf, gistOf, otherFacts } from './facts'
import { aRecipe } from './fixtures'

it('says of an upscale what it was made by, and nothing that took no part', () => {
  const recipe = aRecipe({ kind: 'upscale', output_width: 512, output_height: 512, options: { input: 's', upscaler: 'Nearest', scale: 2 } })
  expect(factsOf(recipe)).toEqual([['Upscaled', '2 × with Nearest']])
  expect(gistOf(recipe)).toEqual(['512 × 512', 'upscaled with Nearest'])
})

it('says how a mask was used', () => {
  const recipe = aRecipe({
    kind: 'inpaint', options: { input: 's', mask: 'm', denoising_strength: 0.6, inpainting_fill: 2, inpaint_full_res: true, inpaint_full_res_padding: 16 },
  })
  expect(Object.fromEntries(factsOf(recipe))).toMatchObject({
    'Started from': 'a picture and a mask', Strength: '0.6', 'Under the mask': 'Noise', 'Only the masked part': 'at 256 × 256, 16 px around it',
  })
})

it('says the size that a second pass has brought', () => {
  const options = { enable_hr: true, hr_resize_x: 512, hr_resize_y: 512, hr_upscaler: 'Latent', denoising_strength: 0.5 }
  const recipe = aRecipe({ output_width: 512, output_height: 512, options })
  expect(gistOf(recipe)).toEqual(['512 × 512', 'two passes', '20 steps'])
  expect(Object.fromEntries(factsOf(recipe))).toMatchObject({ 'Second pass': '512 × 512, Latent', 'Its strength': '0.5' })
})

it('says what is left in words', () => {
  expect(otherFacts({ subseed: '9223372036854775807', clip_skip: 2, discard_next_to_last_sigma: true, input: 's' })).toEqual([
    ['Variation seed', '9223372036854775807'], ['Next-to-last sigma left out', 'yes'], ['CLIP skip', '2'],
  ])
})
