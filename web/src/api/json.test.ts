import { expect, it } from 'vitest'

import { readJson, writeJson } from './json'

const LARGEST = '9223372036854775807'

it('reads and writes the largest seed without loss', () => {
  const read = readJson(`{"shots":[{"seed":${LARGEST},"index":0}]}`)
  expect(read).toEqual({ shots: [{ seed: LARGEST, index: 0 }] })
  expect(writeJson(read)).toBe(`{"shots":[{"seed":${LARGEST},"index":0}]}`)
})

it('keeps a variation seed whole as well', () => {
  expect(readJson(`{"subseed": ${LARGEST}, "subseed_strength": 0.5}`)).toEqual({ subseed: LARGEST, subseed_strength: 0.5 })
  expect(writeJson({ subseed: LARGEST })).toBe(`{"subseed":${LARGEST}}`)
})

it('reads a prompt that speaks of seeds as it is', () => {
  const recipe = { prompt: 'say "seed": 12 aloud', negative_prompt: '"seed":3', seed: 4 }
  expect(readJson(JSON.stringify(recipe))).toEqual({ ...recipe, seed: '4' })
})

it('leaves a prompt that speaks of seeds as it is', () => {
  const order = { prompt: 'say "seed":"12" aloud', seed: '12' }
  expect(JSON.parse(writeJson(order))).toEqual({ prompt: order.prompt, seed: 12 })
})
