/** What the account may have, and what is left of it. */

export interface Usage {
  name: 'queued' | 'running' | 'pictures_a_day' | 'device_seconds_a_day'
  /** null: no limit of this kind. */
  most: number | null
  used: number
  left: number | null
  /** When time gives some of it back; null when there is nothing to give. */
  frees_at: string | null
  is_own: boolean
}

export interface Allowance {
  tier: { name: string; deadline_seconds: number; weight: number; retention_days: number | null }
  used: Usage[]
  pixels: number | null
  steps: number | null
  count: number | null
  checkpoints: string[] | null
  kinds: string[] | null
}

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

const WORDS: Record<Usage['name'], string> = {
  queued: 'places in the queue taken',
  running: 'may be drawn at once',
  pictures_a_day: 'pictures left today',
  device_seconds_a_day: 'seconds of drawing left today',
}

/** Short facts for the foot of the queue: what is left of each limit, and what a picture may be. */
export function limitFacts(allowance: Allowance, now = new Date()): string[] {
  return [
    `Tier ${allowance.tier.name}`,
    ...allowance.used.filter((usage) => usage.most !== null).map((usage) => usageFact(usage, now)),
    ...(allowance.steps === null ? [] : [`up to ${allowance.steps} steps`]),
    ...(allowance.count === null ? [] : [`up to ${allowance.count} pictures a job`]),
    ...(allowance.pixels === null ? [] : [`up to ${megapixels(allowance.pixels)} megapixels`]),
    ...(allowance.kinds === null ? [] : [`only ${allowance.kinds.join(', ')}`]),
    ...(allowance.checkpoints === null ? [] : [`only the checkpoints ${allowance.checkpoints.join(', ')}`]),
    ...(allowance.tier.retention_days === null ? [] : [`pictures are kept ${allowance.tier.retention_days} days`]),
  ]
}

function usageFact(usage: Usage, now: Date): string {
  const most = WHOLE.format(usage.most ?? 0)
  if (usage.name === 'running') return `${most} ${WORDS.running}`
  if (usage.name === 'queued') return `${WHOLE.format(usage.used)} of ${most} ${WORDS.queued}`
  const more = usage.frees_at === null ? '' : `, more from ${timeOf(usage.frees_at, now)}`
  return `${WHOLE.format(Math.floor(usage.left ?? 0))} of ${most} ${WORDS[usage.name]}${more}`
}

/** It is within a day. */
function timeOf(moment: string, now: Date): string {
  const then = new Date(moment)
  const time = then.toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', hour12: false })
  return then.toDateString() === now.toDateString() ? time : `${time} tomorrow`
}

function megapixels(pixels: number): string {
  return new Intl.NumberFormat('en', { maximumFractionDigits: 2 }).format(pixels / 1e6)
}
