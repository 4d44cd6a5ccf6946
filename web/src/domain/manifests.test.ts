import { describe, expect, it } from 'vitest'

import { aManifest } from './fixtures'
import { makingOf } from './manifests'

function told(with_: Parameters<typeof aManifest>[0] = {}): Record<string, string> {
  return Object.fromEntries(makingOf(aManifest(with_)))
}

describe('how a picture was made', () => {
  it('is told from the weights down to the libraries', () => {
    expect(told()).toEqual({
      Checkpoint: 'postcard, 0123456789',
      'Drawn by': 'native',
      Device: 'NVIDIA H200, CUDA 9.0',
      Precision: 'float16',
      Attention: 'cudnn, efficient',
      'Noise from': 'CPU',
      stablehand: '1.0.0',
      torch: '2.13.0',
    })
    expect(makingOf(aManifest())[0]?.[0]).toBe('Checkpoint')
  })

  it('names networks apart where they differ', () => {
    expect(told({ dtypes: { unet: 'float16', text: 'float16', vae: 'bfloat16', upscaler: 'float32' } }).Precision).toBe(
      'UNet float16, text float16, autoencoder bfloat16, upscaler float32',
    )
  })

  it('says what is out of the ordinary', () => {
    expect(told({ exact: true, bucket: 8, resumed: true })).toMatchObject({
      Exact: 'yes, in calls of 8 rows',
      Resumed: 'yes, another process began it',
    })
  })

  it('claims nothing for a picture that no network drew', () => {
    const plain = aManifest({
      runtime: 'null', weights: [], device: 'none', device_name: '', compute: '', attention: [], noise: null,
      dtypes: { unet: null, text: null, vae: null, upscaler: null }, software: { stablehand: '1.0.0' },
    })
    expect(makingOf(plain)).toEqual([['Drawn by', 'null'], ['stablehand', '1.0.0']])
  })

  it('names weights whose hash is not known yet', () => {
    expect(told({ weights: [{ role: 'vae', name: 'mse', sha256: null, short_hash: null }] }).Autoencoder).toBe('mse')
  })
})
