/** What a server offers: checkpoints, samplers, schedules, upscalers. */

/** What an order takes that does not say it. */
export interface Defaults {
  steps: number
  sampler: string
  schedule: string
  cfg_scale: number
}

export interface Checkpoint {
  id: string
  name: string
  family: string
  sha256: string | null
  /** Pixels a side. */
  native_size: number
  resident: boolean
  builtin: boolean
  default: boolean
  size_bytes: number
  /** Its own, which differ for networks that were distilled for few steps. */
  defaults: Defaults
}

export interface Named {
  name: string
  aliases: string[]
}

export interface Upscaler extends Named {
  /** It enlarges latents, between the passes of one picture only. */
  latent: boolean
  /** It is a file of weights. */
  network: boolean
  /** How much larger a network draws; null where there is none, or it does not say. */
  scale: number | null
}

/** What stands for a checkpoint's own while none is known yet. */
const USUAL_SIZE = 512
const USUAL_DEFAULTS: Defaults = { steps: 20, sampler: 'DPM++ 2M', schedule: 'Automatic', cfg_scale: 7 }

/** The checkpoint a draft means: the one it names, else the default. */
export function chosenCheckpoint(checkpoints: readonly Checkpoint[], name: string | null): Checkpoint | undefined {
  return (
    checkpoints.find((checkpoint) => checkpoint.name === name) ??
    checkpoints.find((checkpoint) => checkpoint.default) ??
    checkpoints[0]
  )
}

/** Those that were made to take over in the middle of a picture of the chosen one. */
export function refinersFor(checkpoints: readonly Checkpoint[], chosen: Checkpoint | undefined): Checkpoint[] {
  if (!chosen?.family.startsWith('sdxl')) return []
  return checkpoints.filter((checkpoint) => checkpoint.family === 'sdxl-refiner')
}

export function nativeSize(checkpoint: Checkpoint | undefined): number {
  return checkpoint?.native_size ?? USUAL_SIZE
}

export function defaultsOf(checkpoint: Checkpoint | undefined): Defaults {
  return checkpoint?.defaults ?? USUAL_DEFAULTS
}
