/** A draft: what stands in the form before it is ordered. */

import type { Defaults } from './catalogue'
import type { Options, PictureFormat, Recipe } from './recipes'
import { shapeOf, sizeFor, sizeLike, type Size } from './sizes'
import { isSource, type Source } from './sources'

/** Null in a number field: it was emptied, or no checkpoint is known yet, and the server's default applies. */
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

  /** The picture to start from; null: words alone. */
  source: Source | null
  /** How much of it is drawn anew, 0 to 1. */
  strength: number | null
  /** Place in RESIZE_MODES. */
  resizeMode: number
  /** Id of the mask over the source, white where it is drawn anew; null: everywhere. */
  mask: string | null
  maskBlur: number | null
  /** Place in MASK_FILLS. */
  maskFill: number
  maskInverted: boolean
  onlyMasked: boolean
  /** Pixels around the mask that are drawn with it. */
  padding: number | null

  /** A second pass at a larger size. */
  hires: boolean
  hiresScale: number | null
  /** Pixels; when given they count instead of the scale. */
  hiresWidth: number | null
  hiresHeight: number | null
  hiresUpscaler: string | null
  hiresStrength: number | null
  hiresSteps: number | null
  hiresSampler: string | null
  hiresSchedule: string | null
  hiresPrompt: string
  hiresNegativePrompt: string

  /** Name of the checkpoint that takes over in the middle. */
  refiner: string | null
  /** After which share of the steps. */
  refinerSwitchAt: number | null

  /** Whether the pictures come by mail; null: as the account has chosen. */
  mail: boolean | null

  /** Taken over from a picture and without a field of their own, under the names by which they are ordered. */
  others: Record<string, unknown>
}

export const FRESH_DRAFT: Readonly<Draft> = {
  prompt: '',
  negativePrompt: '',
  checkpoint: null,
  width: null,
  height: null,
  steps: null,
  guidance: null,
  sampler: null,
  schedule: null,
  seed: '',
  count: 1,
  format: 'webp',
  quality: 90,
  exact: false,
  source: null,
  strength: 0.75,
  resizeMode: 0,
  mask: null,
  maskBlur: 4,
  maskFill: 1,
  maskInverted: false,
  onlyMasked: false,
  padding: 32,
  hires: false,
  hiresScale: 2,
  hiresWidth: null,
  hiresHeight: null,
  hiresUpscaler: null,
  hiresStrength: 0.7,
  hiresSteps: null,
  hiresSampler: null,
  hiresSchedule: null,
  hiresPrompt: '',
  hiresNegativePrompt: '',
  refiner: null,
  refinerSwitchAt: 0.8,
  mail: null,
  others: {},
}

/** A stored draft may come from an older page or a curious hand: keep what still fits, default the rest. */
export function restoreDraft(stored: unknown): Draft {
  const draft: Record<string, unknown> = { ...FRESH_DRAFT }
  if (isRecord(stored)) {
    for (const [key, value] of Object.entries(stored)) {
      if (fits(key, value)) draft[key] = value
    }
  }
  return draft as unknown as Draft
}

const NULLABLE_TEXT = new Set<string>([
  'checkpoint', 'sampler', 'schedule', 'mask', 'hiresUpscaler', 'hiresSampler', 'hiresSchedule', 'refiner',
] satisfies (keyof Draft)[])
const NUMBERS = new Set<string>([
  'width', 'height', 'steps', 'guidance', 'count', 'quality', 'strength', 'maskBlur', 'padding', 'hiresScale', 'hiresWidth',
  'hiresHeight', 'hiresStrength', 'hiresSteps', 'refinerSwitchAt',
] satisfies (keyof Draft)[])
const CHOICES = new Set<string>(['resizeMode', 'maskFill'] satisfies (keyof Draft)[])

function fits(key: string, value: unknown): boolean {
  if (!(key in FRESH_DRAFT)) return false
  if (NUMBERS.has(key)) return value === null || (typeof value === 'number' && Number.isFinite(value))
  if (NULLABLE_TEXT.has(key)) return value === null || typeof value === 'string'
  if (CHOICES.has(key)) return value === 0 || value === 1 || value === 2 || value === 3
  if (key === 'format') return value === 'webp' || value === 'png' || value === 'jpeg'
  if (key === 'seed') return typeof value === 'string' && /^\d*$/.test(value)
  if (key === 'mail') return value === null || typeof value === 'boolean'
  if (key === 'source') return value === null || isSource(value)
  if (key === 'others') return isRecord(value)
  return typeof value === typeof FRESH_DRAFT[key as keyof Draft]
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The draft that draws this very picture again. */
export function draftOf(recipe: Recipe, draft: Draft): Draft {
  return {
    ...draft,
    ...plainPart(recipe),
    ...sourcePart(recipe.options),
    ...hiresPart(recipe),
    refiner: recipe.options.refiner_checkpoint ?? null,
    refinerSwitchAt: recipe.options.refiner_switch_at ?? FRESH_DRAFT.refinerSwitchAt,
    others: Object.fromEntries(Object.entries(recipe.options).filter(([name]) => !HAVE_FIELDS.has(name))),
  }
}

/** The draft that starts from a finished picture: with its words and settings, in one pass, and a new seed. */
export function draftFrom(recipe: Recipe, source: Source, size: Size, draft: Draft): Draft {
  // An upscale was not sampled, so it has no settings worth taking over.
  const plain = recipe.kind === 'upscale' ? { prompt: recipe.prompt || draft.prompt } : plainPart(recipe)
  return { ...draft, ...plain, seed: '', hires: false, others: {}, ...withSource(source, size) }
}

/** What a new source changes: a mask belongs to the picture that it was painted over. */
export function withSource(source: Source | null, size: Size): Partial<Draft> {
  return { source, mask: null, width: size.width, height: size.height }
}

function plainPart(recipe: Recipe): Partial<Draft> {
  return {
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

function sourcePart(options: Options): Partial<Draft> {
  if (!options.input) return { source: null, mask: null }
  return {
    source: { id: options.input, from: 'input' },
    strength: options.denoising_strength ?? FRESH_DRAFT.strength,
    resizeMode: options.resize_mode ?? FRESH_DRAFT.resizeMode,
    mask: options.mask ?? null,
    maskBlur: options.mask_blur ?? FRESH_DRAFT.maskBlur,
    maskFill: options.inpainting_fill ?? FRESH_DRAFT.maskFill,
    maskInverted: options.inpainting_mask_invert === 1,
    onlyMasked: options.inpaint_full_res ?? false,
    padding: options.inpaint_full_res_padding ?? FRESH_DRAFT.padding,
  }
}

function hiresPart({ width, height, options }: Recipe): Partial<Draft> {
  if (!options.enable_hr) return { hires: false }
  const target = { width: options.hr_resize_x ?? 0, height: options.hr_resize_y ?? 0 }
  const scale = scaleBetween({ width, height }, target)
  return {
    hires: true,
    hiresScale: scale ?? FRESH_DRAFT.hiresScale,
    hiresWidth: scale === null ? target.width || null : null,
    hiresHeight: scale === null ? target.height || null : null,
    hiresUpscaler: options.hr_upscaler ?? null,
    hiresStrength: options.denoising_strength ?? FRESH_DRAFT.hiresStrength,
    hiresSteps: options.hr_second_pass_steps || null,
    hiresSampler: options.hr_sampler_name ?? null,
    hiresSchedule: options.hr_scheduler ?? null,
    hiresPrompt: options.hr_prompt ?? '',
    hiresNegativePrompt: options.hr_negative_prompt ?? '',
  }
}

/** The scale, in hundredths, by which the server makes one size of the other; null when there is none. */
export function scaleBetween(from: Size, to: Size): number | null {
  const scale = Math.round((Math.max(to.width / from.width, to.height / from.height)) * 100) / 100
  const made = scaledSize(from, scale)
  return made.width === to.width && made.height === to.height ? scale : null
}

/** The size after a second pass, cut down to multiples of 8 as the server does. */
export function scaledSize(from: Size, scale: number): Size {
  const cut = (side: number): number => Math.max(8, Math.floor(Math.floor(side) / 8) * 8)
  return { width: cut(from.width * scale), height: cut(from.height * scale) }
}

/** Options that have a field in the form, or none to have. */
const HAVE_FIELDS = new Set<string>([
  'input', 'mask', 'denoising_strength', 'resize_mode', 'mask_blur', 'inpainting_fill', 'inpaint_full_res',
  'inpaint_full_res_padding', 'inpainting_mask_invert', 'enable_hr', 'hr_resize_x', 'hr_resize_y', 'hr_upscaler',
  'hr_second_pass_steps', 'hr_sampler_name', 'hr_scheduler', 'hr_prompt', 'hr_negative_prompt', 'refiner_checkpoint',
  'refiner_switch_at', 'upscaler', 'scale',
])

/** The size to draw at after another checkpoint was chosen: the same shape at its own native size. */
export function resized(size: Size, before: number, after: number): Size {
  const shape = shapeOf(size, before)
  if (shape) return sizeFor(shape, after)
  const like = sizeLike(size, before)
  return like.width === size.width && like.height === size.height ? sizeLike(size, after) : size
}

/** The settings after another checkpoint was chosen: those that stood at the former one's defaults go to the new one's. */
export function moved(draft: Draft, before: Defaults, after: Defaults): Partial<Draft> {
  const pick = <T>(value: T, former: T, next: T): T => (value === former ? next : value)
  return {
    steps: pick(draft.steps, before.steps, after.steps),
    guidance: pick(draft.guidance, before.cfg_scale, after.cfg_scale),
    sampler: pick(draft.sampler, before.sampler, after.sampler),
    schedule: pick(draft.schedule, before.schedule, after.schedule),
  }
}

/** The numbers of the form that nobody has set, from the checkpoint that will draw. */
export function filled(draft: Draft, native: number, defaults: Defaults): Partial<Draft> {
  return {
    width: draft.width ?? native,
    height: draft.height ?? native,
    steps: draft.steps ?? defaults.steps,
    guidance: draft.guidance ?? defaults.cfg_scale,
  }
}
