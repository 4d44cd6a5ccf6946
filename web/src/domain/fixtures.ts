/** Checkpoints, jobs and images for tests: whole ones, of which a test says only what matters to it. */

import type { Checkpoint } from './catalogue'
import type { Image } from './images'
import type { Job, Shot } from './jobs'
import type { Manifest } from './manifests'
import type { Recipe } from './recipes'

export function aCheckpoint(with_: Partial<Checkpoint> = {}): Checkpoint {
  return {
    id: 'c1', name: 'postcard', family: 'sd1', sha256: null, native_size: 256, resident: true, builtin: true, default: true,
    size_bytes: 23_000_000, defaults: { steps: 20, sampler: 'DPM++ 2M', schedule: 'Automatic', cfg_scale: 7 }, ...with_,
  }
}

export function aRecipe(with_: Partial<Recipe> = {}): Recipe {
  return {
    prompt: 'a red house in a meadow', negative_prompt: '', kind: 'text', checkpoint: 'postcard', width: 256, height: 256,
    steps: 20, sampler: 'DPM++ 2M', schedule: 'Automatic', cfg_scale: 7, seed: '41', format: 'webp', quality: 90,
    exact: false, output_width: 256, output_height: 256, options: {}, ...with_,
  }
}

export function aShot(with_: Partial<Shot> = {}): Shot {
  return { index: 0, state: 'queued', progress: 0, image_id: null, seed: '41', error: null, ...with_ }
}

export function aJob(with_: Partial<Job> = {}): Job {
  const shots = with_.shots ?? [aShot()]
  return {
    id: 'j1', kind: 'text', state: 'queued', tier: 'premium', created_at: '2026-11-20T12:00:00Z', finished_at: null,
    recipe: aRecipe(), count: shots.length, cancel_requested: false, retry_of: null, counts: countsOf(shots), error: null,
    shots, queue: null, images: [], notes: [], mail: null,
    ...with_,
  }
}

function countsOf(shots: Shot[]): Job['counts'] {
  const counts: Job['counts'] = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 }
  for (const shot of shots) counts[shot.state] += 1
  return counts
}

export function anImage(with_: Partial<Image> = {}): Image {
  return {
    id: 'i1', job_id: 'j1', index: 0, width: 256, height: 256, format: 'webp', seed: '41',
    created_at: '2026-11-20T12:00:05Z', starred: false, deleted_at: null, recipe: aRecipe(), infotext: '',
    size_bytes: 20_000, notes: [], ...with_,
  }
}

export function aManifest(with_: Partial<Manifest> = {}): Manifest {
  return {
    version: 1, runtime: 'native', software: { stablehand: '1.0.0', torch: '2.13.0' },
    weights: [{ role: 'checkpoint', name: 'postcard', sha256: '0123456789'.padEnd(64, 'a'), short_hash: '0123456789' }],
    device: 'cuda', device_name: 'NVIDIA H200', compute: '9.0', dtypes: { unet: 'float16', text: 'float16', vae: 'float16', upscaler: null },
    attention: ['cudnn', 'efficient'], noise: 'CPU', exact: false, bucket: null, resumed: false, ...with_,
  }
}
