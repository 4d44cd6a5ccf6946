/**
 * A pretended server for `npm run dev:mocked`: enough of the API, in memory, to work on the screens without Python.
 * It has no live line, so the page shows its connection notice and polls: that road is worth seeing, too.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Connect, Plugin } from 'vite'

import type { JobOrder } from '../src/domain/orders'
import type { Image } from '../src/domain/images'
import type { Allowance, Usage } from '../src/domain/limits'
import type { Job } from '../src/domain/jobs'
import type { Recipe } from '../src/domain/recipes'

const STEP_MS = 150

interface Answer {
  status: number
  body?: unknown
  type?: string
}

export function mockedServer(): Plugin {
  const jobs: Job[] = []
  const images: Image[] = []

  function submit(order: JobOrder): Answer {
    if (order.steps === 0) return refusal(422, 'invalid_fields', { steps: '1 to 150' })
    const first = Number(order.seed ?? Math.floor(Math.random() * 2 ** 32))
    const recipe: Recipe = {
      prompt: order.prompt, negative_prompt: order.negative_prompt ?? '', kind: order.kind ?? 'text', checkpoint: 'postcard',
      width: order.width ?? 256, height: order.height ?? 256, steps: order.steps ?? 20,
      sampler: order.sampler ?? 'DPM++ 2M', schedule: order.schedule ?? 'Automatic', cfg_scale: order.cfg_scale ?? 7,
      seed: String(first), format: order.format ?? 'webp', quality: 90, exact: false,
      output_width: order.width ?? 256, output_height: order.height ?? 256, options: optionsOf(order),
    }
    const count = order.count ?? 1
    const job: Job = {
      id: `job-${jobs.length + 1}`, kind: order.kind ?? 'text', state: 'queued', tier: 'premium', created_at: new Date().toISOString(),
      finished_at: null, recipe, count, cancel_requested: false, retry_of: null, images: [], notes: [], mail: null,
      counts: { queued: count, running: 0, succeeded: 0, failed: 0, cancelled: 0 }, error: null,
      queue: { ahead: 0, eta_seconds: 3, eta_low_seconds: 2, eta_high_seconds: 5, reason: null },
      shots: Array.from({ length: count }, (_, index) => ({
        index, state: 'queued', progress: 0, image_id: null, seed: String(first + index), error: null,
      })),
    }
    jobs.unshift(job)
    draw(job)
    return { status: 202, body: job }
  }

  /** Draws the shots of a job one after another, in steps. */
  function draw(job: Job): void {
    const timer = setInterval(() => {
      const shot = job.shots.find((other) => other.state === 'queued' || other.state === 'running')
      if (!shot || job.cancel_requested) {
        clearInterval(timer)
        for (const other of job.shots) if (other.state !== 'succeeded') other.state = 'cancelled'
        job.state = job.cancel_requested ? 'cancelled' : 'succeeded'
        job.finished_at = new Date().toISOString()
        job.queue = null
        return
      }
      job.state = shot.state = 'running'
      shot.progress = Math.min(1, shot.progress + 1 / job.recipe.steps)
      if (shot.progress < 1) return
      const image: Image = {
        id: `${job.id}-${shot.index}`, job_id: job.id, index: shot.index, width: job.recipe.width,
        height: job.recipe.height, format: job.recipe.format, seed: shot.seed, created_at: new Date().toISOString(),
        starred: false, deleted_at: null, recipe: { ...job.recipe, seed: shot.seed },
        infotext: `${job.recipe.prompt}\nSteps: ${job.recipe.steps}, Seed: ${shot.seed}`, size_bytes: 24_000, notes: [],
      }
      images.unshift(image)
      job.images.push(image)
      Object.assign(shot, { state: 'succeeded', image_id: image.id })
    }, STEP_MS)
  }

  function answer(method: string, url: URL, body: unknown): Answer {
    const [noun, id, verb] = url.pathname.slice(1).split('/')
    const job = jobs.find((other) => other.id === id)
    const image = images.find((other) => other.id === id)
    switch (`${method} ${noun}${id ? '/id' : ''}${verb ? `/${verb}` : ''}`) {
      case 'POST jobs': return submit(body as JobOrder)
      case 'GET jobs': return list(jobs)
      case 'GET jobs/id': return job ? { status: 200, body: job } : refusal(404, 'not_found')
      case 'DELETE jobs/id': return job ? { status: 200, body: Object.assign(job, { cancel_requested: true }) } : refusal(404, 'not_found')
      case 'POST jobs/id/retry': return job ? submit({ ...job.recipe, ...job.recipe.options }) : refusal(404, 'not_found')
      // Every picture begins at once here, so no line ever forms.
      case 'POST jobs/id/move': return job ? { status: 200, body: job } : refusal(404, 'not_found')
      case 'GET images': {
        const trashed = url.searchParams.has('trashed')
        const words = url.searchParams.get('search') ?? ''
        return list(images.filter((other) => (other.deleted_at !== null) === trashed && other.recipe.prompt.includes(words)))
      }
      case 'GET images/id': return image ? { status: 200, body: { ...image, manifest: null } } : refusal(404, 'not_found')
      case 'DELETE images/id': if (image) image.deleted_at = new Date().toISOString(); return { status: 204 }
      case 'POST images/id/restore': if (image) image.deleted_at = null; return { status: 200, body: image }
      case 'PATCH images/id': return { status: 200, body: Object.assign(image ?? {}, body) }
      case 'GET images/id/file':
      case 'GET images/id/thumbnail': return image ? { status: 200, body: picture(image), type: 'image/svg+xml' } : refusal(404, 'not_found')
      case 'GET admin/id': return list([])
      case 'GET me': return { status: 200, body: { id: 'owner', name: 'owner', role: 'owner', tiers: ['premium', 'normal'] } }
      case 'GET me/id': return { status: 200, body: limits(jobs, images) }
      case 'GET auth/id': return { status: 200, body: { authentication: false, signed_in: false, sign_up: 'closed', password_length: 0 } }
      case 'GET checkpoints': return list([{ id: 'c1', name: 'postcard', family: 'sd1', sha256: null, native_size: 256, resident: true, builtin: true, default: true, size_bytes: 23_000_000, defaults: { steps: 20, sampler: 'DPM++ 2M', schedule: 'Automatic', cfg_scale: 7 } }])
      case 'GET samplers': return list(['DPM++ 2M', 'Euler a', 'Euler', 'DDIM'].map((name) => ({ name, aliases: [] })))
      // Nothing is kept: a picture to start from shows as one that is no longer there.
      case 'POST inputs': return { status: 201, body: { id: 'mocked', width: 256, height: 192 } }
      case 'GET upscalers': return list(([['Latent', true, null], ['Lanczos', false, null], ['Nearest', false, null], ['postcard-2x', false, 2]] as const).map(([name, latent, scale]) => ({ name, aliases: [], latent, network: scale !== null, scale })))
      case 'GET schedules': return list(['Automatic', 'Uniform', 'Karras', 'Normal'].map((name) => ({ name, aliases: [] })))
      case 'GET status': return { status: 200, body: {
        version: 'mocked', ready: true, authentication: false, queue: { queued: 0, running: 0 },
        agents: [{ name: 'pretended', pool: 'default', state: 'ready', runtime: 'null', seats: 8, running: 0,
          device: { kind: 'cpu', name: 'CPU', precision: 'fp32' }, resident: ['postcard'], reason: '', error: '' }],
      } }
      default: return refusal(404, 'not_found')
    }
  }

  const handle: Connect.NextHandleFunction = (request, response) => {
    void read(request).then((body) => {
      send(response, answer(request.method ?? 'GET', new URL(request.url ?? '/', 'http://mocked'), body))
    })
  }

  return { name: 'mocked-server', configureServer: ({ middlewares }) => void middlewares.use('/api/v1', handle) }
}

/** What is left of limits that nobody passes here. */
function limits(jobs: Job[], images: Image[]): Allowance {
  const count = (state: 'queued' | 'running') => jobs.reduce((sum, job) => sum + job.shots.filter((shot) => shot.state === state).length, 0)
  const usage = (name: Usage['name'], most: number | null, used: number): Usage => ({
    name, most, used, left: most === null ? null : Math.max(0, most - used), frees_at: null, is_own: false,
  })
  return {
    tier: { name: 'premium', deadline_seconds: 15, weight: 4, retention_days: 90 },
    used: [
      usage('queued', 500, count('queued')), usage('running', null, count('running')),
      usage('pictures_a_day', 200, images.length), usage('device_seconds_a_day', null, images.length),
    ],
    pixels: 1_048_576, steps: 60, count: null, checkpoints: null, kinds: null,
  }
}

function optionsOf({ input, mask, denoising_strength }: JobOrder): Recipe['options'] {
  const told = { input, mask, denoising_strength: denoising_strength as number | undefined }
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined))
}

function list(items: unknown[]): Answer {
  return { status: 200, body: { items, next_cursor: null } }
}

function refusal(status: number, code: string, fields?: Record<string, string>): Answer {
  return { status, body: { error: { code, message: 'The mocked server refuses.', hint: 'As asked.', fields } } }
}

/** A landscape in colours that follow from the seed. */
function picture(image: Image): string {
  const hue = Number(image.seed) % 360
  const { width, height } = image
  const horizon = height * 0.6
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <linearGradient id="s" x2="0" y2="1"><stop stop-color="hsl(${hue} 45% 38%)"/><stop offset="1" stop-color="hsl(${(hue + 60) % 360} 85% 72%)"/></linearGradient>
    <rect width="100%" height="100%" fill="url(#s)"/><circle cx="${width * 0.7}" cy="${height * 0.3}" r="${height * 0.09}" fill="#ffe9a8"/>
    <path d="M0 ${horizon} ${width * 0.2} ${horizon * 0.7} ${width * 0.4} ${horizon} ${width * 0.7} ${horizon * 0.6} ${width} ${horizon}z" fill="hsl(${(hue + 20) % 360} 25% 35%)"/>
    <rect y="${horizon - 1}" width="100%" height="50%" fill="hsl(${(hue + 130) % 360} 35% 42%)"/></svg>`
}

async function read(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text && request.headers['content-type'] === 'application/json' ? JSON.parse(text) : undefined
}

function send(response: ServerResponse, { status, body, type = 'application/json' }: Answer): void {
  response.writeHead(status, { 'content-type': type })
  response.end(body === undefined ? '' : type === 'application/json' ? JSON.stringify(body) : body)
}
