/** Facts: how a picture was made, as names and values for people. */

import { MASK_FILLS, RESIZE_MODES, type Options, type Recipe } from './recipes'

export type Fact = readonly [name: string, value: string]

/** In a few words for a line: size, steps and the like, and what it started from. */
export function gistOf(recipe: Recipe): string[] {
  const size = `${recipe.output_width} × ${recipe.output_height}`
  const { options } = recipe
  if (recipe.kind === 'upscale') return [size, `upscaled with ${options.upscaler ?? 'Lanczos'}`]
  const steps = `${recipe.steps} step${recipe.steps === 1 ? '' : 's'}`
  const way = recipe.kind === 'text' ? [] : [`${recipe.kind === 'inpaint' ? 'inpainted' : 'from a picture'}, strength ${options.denoising_strength ?? 0.75}`]
  return [size, ...way, ...(options.enable_hr ? ['two passes'] : []), steps]
}

export function factsOf(recipe: Recipe): Fact[] {
  const { options } = recipe
  if (recipe.kind === 'upscale') {
    return [['Upscaled', `${number(options.scale ?? 1)} × with ${options.upscaler ?? 'Lanczos'}`]]
  }
  return [
    ['Checkpoint', recipe.checkpoint],
    ...(options.refiner_checkpoint ? [['Refiner', `${options.refiner_checkpoint} from ${percent(options.refiner_switch_at ?? 0.8)}`] as const] : []),
    ['Steps', String(recipe.steps)],
    ['Guidance', String(recipe.cfg_scale)],
    ['Sampler', recipe.sampler],
    ['Schedule', recipe.schedule],
    ...startFacts(recipe),
    ...hiresFacts(options),
    ...otherFacts(options),
  ]
}

function startFacts({ kind, width, height, options }: Recipe): Fact[] {
  if (kind === 'text') return []
  const strength: Fact = ['Strength', String(options.denoising_strength ?? 0.75)]
  const resize: Fact[] = options.resize_mode ? [['Resize', RESIZE_MODES[options.resize_mode] ?? '']] : []
  if (kind === 'image') return [['Started from', 'a picture'], strength, ...resize]
  return [
    ['Started from', 'a picture and a mask'],
    strength,
    ...resize,
    ['Under the mask', MASK_FILLS[options.inpainting_fill ?? 1] ?? ''],
    ['Mask blur', `${options.mask_blur ?? 4} px`],
    ...(options.inpainting_mask_invert ? [['Mask', 'inverted'] as const] : []),
    ...(options.inpaint_full_res
      ? [['Only the masked part', `at ${width} × ${height}, ${options.inpaint_full_res_padding ?? 32} px around it`] as const]
      : []),
  ]
}

function hiresFacts(options: Options): Fact[] {
  if (!options.enable_hr) return []
  return [
    ['Second pass', `${options.hr_resize_x} × ${options.hr_resize_y}, ${options.hr_upscaler ?? 'Latent'}`],
    ['Its strength', String(options.denoising_strength ?? 0.7)],
    ...(options.hr_second_pass_steps ? [['Its steps', String(options.hr_second_pass_steps)] as const] : []),
    ...(options.hr_sampler_name ? [['Its sampler', options.hr_sampler_name] as const] : []),
    ...(options.hr_scheduler ? [['Its schedule', options.hr_scheduler] as const] : []),
    ...(options.hr_prompt ? [['Its prompt', options.hr_prompt] as const] : []),
    ...(options.hr_negative_prompt ? [['Its negative prompt', options.hr_negative_prompt] as const] : []),
  ]
}

/** Option → what people call it, for those without a field of their own. */
const OTHERS: Readonly<Record<string, string>> = {
  initial_noise_multiplier: 'Noise multiplier',
  subseed: 'Variation seed',
  subseed_strength: 'Variation strength',
  seed_resize_from_w: 'Seed from width',
  seed_resize_from_h: 'Seed from height',
  noise_source: 'Noise',
  eta: 'Eta',
  s_churn: 'Churn',
  s_tmin: 'Churn from sigma',
  s_tmax: 'Churn to sigma',
  s_noise: 'Noise scale',
  ensd: 'Noise seed delta',
  discard_next_to_last_sigma: 'Next-to-last sigma left out',
  clip_skip: 'CLIP skip',
  emphasis: 'Emphasis',
  vae: 'Autoencoder',
}

/** What is left of some options: those without a field in the form. */
export function otherFacts(options: Readonly<Record<string, unknown>>): Fact[] {
  return Object.entries(OTHERS)
    .filter(([name]) => options[name] !== undefined && options[name] !== null)
    .map(([name, words]) => [words, shown(options[name])] as const)
}

function shown(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return String(value)
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function number(value: number): string {
  return String(Math.round(value * 100) / 100)
}
