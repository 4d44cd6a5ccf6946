/** What an order would cost and how long it would wait, in words short enough to stand above a button. */

import type { JobOrder } from './orders'
import { roughly } from './waiting'

export interface Range {
  likely: number
  low: number
  high: number
}

export interface QuoteLimit {
  name: string
  code: string
  message: string
  hint: string
  most: number | null
  used: number | null
  left: number | null
  asked: number | null
  frees_at: string | null
}

export interface Quote {
  accepted: boolean
  limits: QuoteLimit[]
  count: number
  device_seconds: Range | null
  /** Amounts as exact decimals. */
  money: { likely: string; low: string; high: string; currency: string } | null
  waiting: { first: Range | null; last: Range | null; ahead: number; held_by: string | null; reason: string | null }
  promise: { tier: string; within_seconds: number; words: string; is_likely: boolean | null }
}

/** What stands in for the prompt while an order is quoted: no word of it changes the answer. */
const ANY_PROMPT = 'a picture'

const WITHOUT_EFFECT: readonly string[] = ['negative_prompt', 'seed', 'notify']

/** What the answer depends on. Typing a prompt asks nobody, and sends it nowhere. */
export function quotedOrder(order: JobOrder): JobOrder {
  const rest = Object.fromEntries(Object.entries(order).filter(([field]) => !WITHOUT_EFFECT.includes(field)))
  return { ...rest, prompt: ANY_PROMPT }
}

/** "about 12 s · 0.02 MAD · ready in about 1 min (0:40–2:10)"; empty while there is nothing to say. */
export function quoteLine(quote: Quote): string {
  const { device_seconds: device, money, waiting, promise } = quote
  const late = promise.is_likely === false ? [`not ${promise.words}`] : []
  return [
    ...(device ? [roughly(device.likely).replace('a moment', 'under 2 s')] : []),
    ...(money ? [moneyText(Number(money.likely), money.currency)] : []),
    ...(waiting.last ? [`ready in ${readyIn(waiting.last)}`] : waiting.reason ? [waiting.reason] : []),
    ...late,
  ].join(' · ')
}

/** The estimate, with its range where that says more. */
function readyIn(range: Range): string {
  const words = roughly(range.likely)
  return range.high < 10 || clock(range.low) === clock(range.high) ? words : `${words} (${clock(range.low)}–${clock(range.high)})`
}

/** 0:40, 12:05, 1:02:00. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds)
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (number: number): string => String(number).padStart(2, '0')
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

/** "0.02 MAD"; small amounts keep two digits that say something. */
export function moneyText(amount: number, currency: string): string {
  if (amount > 0 && amount < 0.0001) return `under 0.0001 ${currency}`
  const digits = amount > 0 && amount < 0.1 ? { maximumSignificantDigits: 2 } : { minimumFractionDigits: 2, maximumFractionDigits: 2 }
  return `${new Intl.NumberFormat('en', digits).format(amount)} ${currency}`
}

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** What a button says whose order would be refused. */
export function refusalOf(limit: QuoteLimit): string {
  const left = WHOLE.format(Math.floor(limit.left ?? 0))
  const none = left === '0'
  if (limit.name === 'queued') return none ? 'Your queue is full' : `Your queue has room for ${left}`
  if (limit.name === 'pictures_a_day') return none ? 'No pictures left today' : `Only ${left} left today`
  if (limit.name === 'device_seconds_a_day') return none ? 'No drawing time left today' : `Only ${left} s of drawing left today`
  if (limit.name === 'pool') return 'No agent draws this'
  if (limit.name === 'pixels') return 'Larger than you may order'
  if (limit.name === 'count' || limit.name === 'steps') return `At most ${WHOLE.format(limit.most ?? 0)} ${limit.name === 'count' ? 'pictures' : 'steps'}`
  return 'Not for your account'
}
