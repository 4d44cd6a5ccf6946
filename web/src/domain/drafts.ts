/** A draft: what stands in the form before it is ordered. */

import type { PictureFormat, Recipe } from './recipes'
import { shapeOf, sizeFor, type Size } from './sizes'

/** Null in a number field: it was emptied, and the server's default applies. */
export interface Draft {
  prompt: string
  negativePrompt: string
  /** Null until one is chosen: the server's default. */
  checkpoint: string | null
  width: number | null
  height: number | null
  steps: number | null
  guidance: number | null
  sampler: string | null
  schedule: string | null
  /** Decimal digits; empty draws a fresh one each time. */
  seed: string
  count: number | null
  format: PictureFormat
  quality: number | null
  exact: boolean
}

/** The body of POST /jobs. Absent fields take the server's defaults. */
export interface JobOrder {
  prompt: string
  negative_prompt?: string
  checkpoint?: string
  width?: number
  height?: number
  steps?: number
  sampler?: string
  schedule?: string
  cfg_scale?: number
  seed?: string
  count?: number
  format?: PictureFormat
  quality?: number
  exact?: boolean
}

export const FRESH_DRAFT: Readonly<Draft> = {
  prompt: '',
  negativePrompt: '',
  checkpoint: null,
  width: null,
  height: null,
  steps: 20,
  guidance: 7,
  sampler: null,
  schedule: null,
  seed: '',
  count: 1,
  format: 'webp',
  quality: 90,
  exact: false,
}

/** A stored draft may come from an older page or a curious hand: keep what still fits, default the rest. */
export function restoreDraft(stored: unknown): Draft {
  const draft: Record<string, unknown> = { ...FRESH_DRAFT }
  if (typeof stored === 'object' && stored !== null) {
    for (const [key, value] of Object.entries(stored)) {
      if (fits(key, value)) draft[key] = value
    }
  }
  return draft as unknown as Draft
}

const NULLABLE_TEXT = new Set(['checkpoint', 'sampler', 'schedule'])
const NUMBERS = new Set(['width', 'height', 'steps', 'guidance', 'count', 'quality'])

function fits(key: string, value: unknown): boolean {
  if (!(key in FRESH_DRAFT)) return false
  if (NUMBERS.has(key)) return value === null || (typeof value === 'number' && Number.isFinite(value))
  if (NULLABLE_TEXT.has(key)) return value === null || typeof value === 'string'
  if (key === 'format') return value === 'webp' || value === 'png' || value === 'jpeg'
  if (key === 'seed') return typeof value === 'string' && /^\d*$/.test(value)
  return typeof value === typeof FRESH_DRAFT[key as keyof Draft]
}

export function orderOf(draft: Draft): JobOrder {
  const order: Record<string, unknown> = {
    prompt: draft.prompt.trim(),
    negative_prompt: draft.negativePrompt.trim() || null,
    checkpoint: draft.checkpoint,
    width: draft.width,
    height: draft.height,
    steps: draft.steps,
    sampler: draft.sampler,
    schedule: draft.schedule,
    cfg_scale: draft.guidance,
    seed: draft.seed || null,
    count: draft.count,
    format: draft.format,
    quality: draft.format === 'png' ? null : draft.quality,
    exact: draft.exact || null,
  }
  return Object.fromEntries(Object.entries(order).filter(([, value]) => value !== null)) as unknown as JobOrder
}

/** The draft that draws this very picture again. */
export function draftOf(recipe: Recipe, draft: Draft): Draft {
  return {
    ...draft,
    prompt: recipe.prompt,
    negativePrompt: recipe.negative_prompt,
    checkpoint: recipe.checkpoint,
    width: recipe.width,
    height: recipe.height,
    steps: recipe.steps,
    guidance: recipe.cfg_scale,
    sampler: recipe.sampler,
    schedule: recipe.schedule,
    seed: recipe.seed,
    count: 1,
    format: recipe.format,
    quality: recipe.quality,
    exact: recipe.exact,
  }
}

/** The size to draw at after another checkpoint was chosen: the same shape at its own native size. */
export function resized(size: Size, before: number, after: number): Size {
  const shape = shapeOf(size, before)
  return shape ? sizeFor(shape, after) : size
}

/** Which field of the form a field of the order stands in. */
export const FIELD_OF: Readonly<Record<string, keyof Draft>> = {
  prompt: 'prompt',
  negative_prompt: 'negativePrompt',
  checkpoint: 'checkpoint',
  width: 'width',
  height: 'height',
  steps: 'steps',
  cfg_scale: 'guidance',
  sampler: 'sampler',
  schedule: 'schedule',
  seed: 'seed',
  count: 'count',
  format: 'format',
  quality: 'quality',
  exact: 'exact',
}
