import { describe, expect, it } from 'vitest'

import { draftOf, FRESH_DRAFT, orderOf, resized, restoreDraft } from './drafts'
import { aRecipe } from './fixtures'

describe('an order', () => {
  it('leaves to the server what was left empty', () => {
    expect(orderOf({ ...FRESH_DRAFT, prompt: ' a tree ', steps: null })).toEqual({
      prompt: 'a tree', cfg_scale: 7, count: 1, format: 'webp', quality: 90,
    })
  })

  it('names no quality for PNG, which has none', () => {
    expect(orderOf({ ...FRESH_DRAFT, format: 'png' })).not.toHaveProperty('quality')
  })

  it('passes on what is out of range, for the server to say so', () => {
    expect(orderOf({ ...FRESH_DRAFT, steps: 0 })).toMatchObject({ steps: 0 })
  })
})

it('draws the same picture again from its recipe', () => {
  const recipe = aRecipe({ seed: '9223372036854775807', width: 320, height: 224, negative_prompt: 'clouds' })
  expect(orderOf(draftOf(recipe, FRESH_DRAFT))).toMatchObject({
    prompt: recipe.prompt, negative_prompt: 'clouds', seed: '9223372036854775807', width: 320, height: 224, count: 1,
  })
})

describe('a stored draft', () => {
  it('comes back as it was', () => {
    const draft = { ...FRESH_DRAFT, prompt: 'a tree', steps: null, seed: '7' }
    expect(restoreDraft(JSON.parse(JSON.stringify(draft)))).toEqual(draft)
  })

  it('loses what does not fit', () => {
    expect(restoreDraft({ steps: '20', width: NaN, seed: '-1', format: 'gif', unknown: 1, prompt: 'a' })).toEqual({
      ...FRESH_DRAFT, prompt: 'a',
    })
    expect(restoreDraft(null)).toEqual(FRESH_DRAFT)
  })
})

describe('a change of checkpoint', () => {
  it('keeps the shape at the new native size', () => {
    expect(resized({ width: 256, height: 256 }, 256, 512)).toEqual({ width: 512, height: 512 })
  })

  it('leaves alone a size that was typed', () => {
    expect(resized({ width: 264, height: 200 }, 256, 512)).toEqual({ width: 264, height: 200 })
  })
})
