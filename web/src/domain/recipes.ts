/** A recipe: every parameter of a picture, as the server stores it. Field names are the API's. */

export type PictureFormat = 'webp' | 'png' | 'jpeg'

export interface Recipe {
  prompt: string
  negative_prompt: string
  kind: 'text'
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
}
