/** An order: what the form asks the server for. */

import type { Draft } from './drafts'
import type { Kind, PictureFormat } from './recipes'

/** The body of POST /jobs. Absent fields take the server's defaults. */
export interface JobOrder {
  prompt: string
  kind?: Kind
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
  notify?: { email: boolean }
  input?: string
  mask?: string
  upscaler?: string
  scale?: number
  [option: string]: unknown
}

/** What the draft asks for; the form shows only the fields that do something for it. */
export function kindOf(draft: Draft): Exclude<Kind, 'upscale'> {
  if (!draft.source) return 'text'
  return draft.mask ? 'inpaint' : 'image'
}

export function orderOf(draft: Draft): JobOrder {
  const kind = kindOf(draft)
  return given({
    ...draft.others,
    prompt: draft.prompt.trim(),
    kind: kind === 'text' ? null : kind,
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
    notify: draft.mail === null ? null : { email: draft.mail },
    ...(kind === 'text' ? (draft.hires ? hiresFields(draft) : {}) : sourceFields(draft)),
    ...(draft.refiner ? { refiner_checkpoint: draft.refiner, refiner_switch_at: draft.refinerSwitchAt } : {}),
  })
}

/** An order for a larger version of a picture. Its words go along, for the gallery to find it by. */
export function upscaleOrder(picture: { id: string; prompt: string }, scale: number, upscaler: string): JobOrder {
  return { kind: 'upscale', prompt: picture.prompt, input: picture.id, scale, upscaler }
}

function sourceFields(draft: Draft): Record<string, unknown> {
  const shared = { input: draft.source?.id, denoising_strength: draft.strength }
  if (!draft.mask) return { ...shared, resize_mode: draft.resizeMode || null }
  return {
    ...shared,
    mask: draft.mask,
    mask_blur: draft.maskBlur,
    inpainting_fill: draft.maskFill,
    inpainting_mask_invert: draft.maskInverted ? 1 : null,
    ...(draft.onlyMasked
      ? { inpaint_full_res: true, inpaint_full_res_padding: draft.padding }
      // Latents cannot be resized under a mask, and a picture that is not resized needs no way to do so.
      : { resize_mode: draft.resizeMode === 3 ? null : draft.resizeMode || null }),
  }
}

function hiresFields(draft: Draft): Record<string, unknown> {
  const bySize = draft.hiresWidth !== null || draft.hiresHeight !== null
  return {
    enable_hr: true,
    hr_scale: bySize ? null : draft.hiresScale,
    hr_resize_x: bySize ? draft.hiresWidth : null,
    hr_resize_y: bySize ? draft.hiresHeight : null,
    hr_upscaler: draft.hiresUpscaler,
    denoising_strength: draft.hiresStrength,
    hr_second_pass_steps: draft.hiresSteps,
    hr_sampler_name: draft.hiresSampler,
    hr_scheduler: draft.hiresSchedule,
    hr_prompt: draft.hiresPrompt.trim() || null,
    hr_negative_prompt: draft.hiresNegativePrompt.trim() || null,
  }
}

function given(fields: Record<string, unknown>): JobOrder {
  const known = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries(known) as unknown as JobOrder
}

const FIELD_OF: Readonly<Record<string, keyof Draft>> = {
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
  input: 'source',
  resize_mode: 'resizeMode',
  mask: 'mask',
  mask_blur: 'maskBlur',
  inpainting_fill: 'maskFill',
  inpainting_mask_invert: 'maskInverted',
  inpaint_full_res: 'onlyMasked',
  inpaint_full_res_padding: 'padding',
  enable_hr: 'hires',
  hr_scale: 'hiresScale',
  hr_resize_x: 'hiresWidth',
  hr_resize_y: 'hiresHeight',
  hr_upscaler: 'hiresUpscaler',
  hr_second_pass_steps: 'hiresSteps',
  hr_sampler_name: 'hiresSampler',
  hr_scheduler: 'hiresSchedule',
  hr_prompt: 'hiresPrompt',
  hr_negative_prompt: 'hiresNegativePrompt',
  refiner_checkpoint: 'refiner',
  refiner_switch_at: 'refinerSwitchAt',
  'notify.email': 'mail',
}

/** Which field of the form a field of the order stands in; undefined when in none. */
export function fieldOf(name: string, draft: Draft): keyof Draft | undefined {
  if (name in draft.others) return 'others'
  if (name === 'denoising_strength') return kindOf(draft) === 'text' ? 'hiresStrength' : 'strength'
  return FIELD_OF[name]
}
