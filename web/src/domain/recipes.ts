/** A recipe: every parameter of a picture, as the server stores it. Field names are the API's. */

export type PictureFormat = 'webp' | 'png' | 'jpeg'

export type Kind = 'text' | 'image' | 'inpaint' | 'upscale'

/** What a recipe has beyond a plain picture from words, under the names by which it is ordered. */
export interface Options {
  input?: string
  mask?: string
  denoising_strength?: number
  resize_mode?: number
  mask_blur?: number
  inpainting_fill?: number
  inpaint_full_res?: boolean
  inpaint_full_res_padding?: number
  inpainting_mask_invert?: number
  enable_hr?: boolean
  hr_resize_x?: number
  hr_resize_y?: number
  hr_upscaler?: string
  hr_second_pass_steps?: number
  hr_sampler_name?: string
  hr_scheduler?: string
  hr_prompt?: string
  hr_negative_prompt?: string
  refiner_checkpoint?: string
  refiner_switch_at?: number
  upscaler?: string
  scale?: number
  [other: string]: unknown
}

export interface Recipe {
  prompt: string
  negative_prompt: string
  kind: Kind
  checkpoint: string
  /** Pixels, a multiple of 8. */
  width: number
  height: number
  steps: number
  sampler: string
  schedule: string
  cfg_scale: number
  /** Decimal digits. Seeds reach 2⁶³ − 1, more than a JavaScript number holds exactly. */
  seed: string
  format: PictureFormat
  quality: number
  exact: boolean
  /** Pixels of the finished picture, after a second pass or a paste-back. */
  output_width: number
  output_height: number
  options: Options
}

/** In A1111's order: the API counts them. */
export const RESIZE_MODES = ['Just resize', 'Crop and resize', 'Resize and fill', 'Resize the latents'] as const
export const MASK_FILLS = ['The colours around it', 'What was there', 'Noise', 'Nothing'] as const

/** What a recipe is called where people read: its words, which an upscale need not have. */
export function titleOf(recipe: Recipe): string {
  return recipe.prompt.trim() || (recipe.kind === 'upscale' ? 'An upscaled picture' : 'A picture without words')
}
