/** A manifest: by what a picture was drawn, down to everything that may change its bits. Field names are the API's. */

import type { Fact } from './facts'

export interface Weights {
  role: 'checkpoint' | 'refiner' | 'vae' | 'embedding' | 'upscaler'
  name: string
  /** Null when it had not been computed yet. */
  sha256: string | null
  short_hash: string | null
}

export interface Manifest {
  version: number
  runtime: string
  /** Name → version. */
  software: Record<string, string>
  weights: Weights[]
  device: string
  device_name: string
  compute: string
  /** What each network computed in; null where none did. */
  dtypes: { unet: string | null; text: string | null; vae: string | null; upscaler: string | null }
  /** Kernels that computed the UNet's attention. */
  attention: string[]
  noise: string | null
  exact: boolean
  /** Rows that each call was filled up to. */
  bucket: number | null
  /** Begun by another process, which saved its state. */
  resumed: boolean
}

const ROLES: Record<Weights['role'], string> = {
  checkpoint: 'Checkpoint',
  refiner: 'Refiner',
  vae: 'Autoencoder',
  embedding: 'Embedding',
  upscaler: 'Upscaler',
}

const NETWORKS = { unet: 'UNet', text: 'text', vae: 'autoencoder', upscaler: 'upscaler' } as const

/** A manifest as facts for people, the weightiest first. What says nothing is left out. */
export function makingOf(manifest: Manifest): Fact[] {
  const facts: Fact[] = manifest.weights.map(
    ({ role, name, short_hash }) => [ROLES[role], short_hash ? `${name}, ${short_hash}` : name],
  )
  const tell = (name: string, value: string): void => {
    if (value) facts.push([name, value])
  }
  tell('Drawn by', manifest.runtime)
  tell('Device', [manifest.device_name, deviceOf(manifest)].filter(Boolean).join(', '))
  tell('Precision', precisionOf(manifest.dtypes))
  tell('Attention', manifest.attention.join(', '))
  tell('Noise from', manifest.noise ?? '')
  if (manifest.exact) tell('Exact', manifest.bucket ? `yes, in calls of ${manifest.bucket} rows` : 'yes')
  if (manifest.resumed) tell('Resumed', 'yes, another process began it')
  for (const [name, version] of Object.entries(manifest.software)) tell(name, version)
  return facts
}

/** "CPU with AVX512", "CUDA 9.0"; nothing where no device drew. */
function deviceOf({ device, compute }: Manifest): string {
  if (device === 'none') return ''
  const kind = device.toUpperCase()
  if (!compute) return kind
  return device === 'cpu' ? `${kind} with ${compute}` : `${kind} ${compute}`
}

/** One word where all networks agree. */
function precisionOf(dtypes: Manifest['dtypes']): string {
  const told = (Object.keys(NETWORKS) as (keyof typeof NETWORKS)[]).flatMap((part) => {
    const dtype = dtypes[part]
    return dtype ? [{ part: NETWORKS[part], dtype }] : []
  })
  const [first] = told
  if (!first) return ''
  return told.every(({ dtype }) => dtype === first.dtype)
    ? first.dtype
    : told.map(({ part, dtype }) => `${part} ${dtype}`).join(', ')
}
