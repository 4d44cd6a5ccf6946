/** An image: the delivered result of a shot. */

import type { Manifest } from './manifests'
import type { PictureFormat, Recipe } from './recipes'

/** Something that had to be done otherwise than asked for. */
export interface Note {
  code: string
  message: string
}

export interface Image {
  id: string
  job_id: string
  /** Of its shot in the job. */
  index: number
  width: number
  height: number
  format: PictureFormat
  seed: string
  created_at: string
  starred: boolean
  /** Set while it lies in the trash. */
  deleted_at: string | null
  recipe: Recipe
  infotext: string
  size_bytes: number
  notes: Note[]
}

/** A picture with what only its own address tells. */
export interface ImageDetail extends Image {
  /** Null when its agent did not say. */
  manifest: Manifest | null
}

/** What the file is called when somebody saves it: seed first, as picture tools sort by it. */
export function fileName(image: Image): string {
  const words = image.recipe.prompt
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 48)
  const suffix = image.format === 'jpeg' ? 'jpg' : image.format
  return `${image.seed}${words ? `-${words}` : ''}.${suffix}`
}
