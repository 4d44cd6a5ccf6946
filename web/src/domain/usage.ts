/** What stands in the ledger: pictures, device time and money of some days. */

/** By currency, as exact decimal numbers; prices may have been in another currency once. */
export type Amounts = Record<string, string>

export interface OwnSums {
  pictures: number
  device_seconds: number
  charged: Amounts
}

/** What only the administrator sees besides. */
export interface Sums extends OwnSums {
  /** Of the device time of those pictures, for the operator. */
  cost: Amounts
  wasted_leases: number
  wasted_seconds: number
  wasted_cost: Amounts
}

/** What was not asked to be told apart is null. */
export interface Keys {
  /** Such as 2026-01-31, in UTC. */
  day: string | null
  checkpoint_id: string | null
  checkpoint: string | null
  tier: string | null
}

export type OwnUsageLine = OwnSums & Keys
export type UsageLine = Sums & Keys & {
  account_id: string | null
  /** null, with an id: it was deleted since. */
  account: string | null
  pool: string | null
  reason: string | null
}

export interface UsageReport<Line, Total> {
  items: Line[]
  totals: Total
  /** Whether device time has a price now. */
  is_priced: boolean
}

/** Days in UTC, both included. */
export interface Period {
  since: string
  until: string
}

const DAY_MS = 86_400_000

function at(day: string): number {
  return Date.parse(`${day}T00:00:00Z`)
}

function dayAt(moment: number): string {
  return new Date(moment).toISOString().slice(0, 10)
}

export function daysIn(period: Period): number {
  return Math.round((at(period.until) - at(period.since)) / DAY_MS) + 1
}

/** The week, from Monday, that `today` is in; the one before: `back` 1. */
export function weekOf(today: string, back = 0): Period {
  const monday = at(today) - ((new Date(at(today)).getUTCDay() + 6) % 7) * DAY_MS - back * 7 * DAY_MS
  return { since: dayAt(monday), until: dayAt(monday + 6 * DAY_MS) }
}

/** The month that `today` is in; the one before: `back` 1. */
export function monthOf(today: string, back = 0): Period {
  const [year, month] = today.split('-').map(Number) as [number, number]
  return { since: dayAt(Date.UTC(year, month - 1 - back, 1)), until: dayAt(Date.UTC(year, month - back, 0)) }
}

export function lastDays(today: string, days: number, back = 0): Period {
  const until = at(today) - back * days * DAY_MS
  return { since: dayAt(until - (days - 1) * DAY_MS), until: dayAt(until) }
}

export const SPANS = [
  { label: 'By week', value: 'week' },
  { label: 'By month', value: 'month' },
  { label: '90 days', value: '90' },
  { label: '365 days', value: '365' },
] as const

export type Span = typeof SPANS[number]['value']

/** The span that `today` is in, or one so many spans before. */
export function periodOf(span: Span, today: string, back: number): Period {
  if (span === 'week') return weekOf(today, back)
  if (span === 'month') return monthOf(today, back)
  return lastDays(today, Number(span), back)
}

const dayAndMonth = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', timeZone: 'UTC' })
const wholeDate = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' })

export function dayWords(day: string): string {
  return dayAndMonth.format(at(day))
}

/** "9 Nov – 15 Nov 2026" */
export function periodWords(period: Period): string {
  const begin = period.since.slice(0, 4) === period.until.slice(0, 4) ? dayAndMonth : wholeDate
  return `${begin.format(at(period.since))} – ${wholeDate.format(at(period.until))}`
}

export interface DayBar {
  day: string
  pictures: number
  device_seconds: number
  wasted_seconds: number
  /** Of the tallest bar, 0 to 1: what was drawn, and what was wasted on top of it. */
  drawn: number
  wasted: number
}

/** A bar for every day of the period, whether anything was drawn on it or not. */
export function barsOf(lines: readonly (OwnUsageLine & { wasted_seconds?: number })[], period: Period): DayBar[] {
  const byDay = new Map(lines.map((line) => [line.day, line]))
  const most = Math.max(0, ...lines.map((line) => line.device_seconds + (line.wasted_seconds ?? 0)))
  return Array.from({ length: daysIn(period) }, (_, index) => {
    const day = dayAt(at(period.since) + index * DAY_MS)
    const line = byDay.get(day)
    const drawn = line?.device_seconds ?? 0
    const wasted = line?.wasted_seconds ?? 0
    return {
      day, pictures: line?.pictures ?? 0, device_seconds: drawn, wasted_seconds: wasted,
      drawn: most > 0 ? drawn / most : 0, wasted: most > 0 ? wasted / most : 0,
    }
  })
}

/** "4 s", "12 min", "3.5 h": how long a device drew. */
export function drawingTime(seconds: number): string {
  const round = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
  if (seconds < 60) return `${round.format(seconds)} s`
  if (seconds < 3600) return `${round.format(seconds / 60)} min`
  return `${round.format(seconds / 3600)} h`
}

/** "MAD 12.34", with more places where there is little of it; several currencies one after another; none: "–". */
export function moneyWords(amounts: Amounts): string {
  const words = Object.entries(amounts).map(([currency, amount]) => {
    const little = Math.abs(Number(amount)) < 1 && Number(amount) !== 0
    const places = little ? { maximumSignificantDigits: 2 } : {}
    return new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code', ...places }).format(Number(amount))
  })
  return words.join(' + ') || '–'
}

/** In millionths, so that nothing is lost on the way. */
export function added(...several: Amounts[]): Amounts {
  const micros = new Map<string, bigint>()
  for (const [currency, amount] of several.flatMap((amounts) => Object.entries(amounts))) {
    micros.set(currency, (micros.get(currency) ?? 0n) + microsOf(amount))
  }
  return Object.fromEntries([...micros].map(([currency, sum]) => [currency, amountOf(sum)]))
}

function microsOf(amount: string): bigint {
  const [whole = '0', places = ''] = amount.split('.')
  return BigInt(whole + places.padEnd(6, '0').slice(0, 6))
}

function amountOf(micros: bigint): string {
  const digits = micros.toString().padStart(7, '0')
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`
}

/** Money is shown where something had a price, or would have now. */
export function hasMoney(report: { is_priced: boolean; totals: OwnSums & { wasted_cost?: Amounts } } | undefined): boolean {
  if (!report) return false
  const { is_priced, totals } = report
  return is_priced || Object.keys({ ...totals.charged, ...totals.wasted_cost }).length > 0
}

/** One line for each account; deleted ones together at the end. */
export function byAccount(lines: readonly UsageLine[]): UsageLine[] {
  const gone = lines.filter((line) => line.account === null)
  const [first, ...rest] = gone
  const here = lines.filter((line) => line.account !== null)
  if (!first) return here
  const together = rest.reduce((sum, line) => ({
    ...sum,
    pictures: sum.pictures + line.pictures,
    device_seconds: sum.device_seconds + line.device_seconds,
    charged: added(sum.charged, line.charged),
    cost: added(sum.cost, line.cost),
    wasted_leases: sum.wasted_leases + line.wasted_leases,
    wasted_seconds: sum.wasted_seconds + line.wasted_seconds,
    wasted_cost: added(sum.wasted_cost, line.wasted_cost),
  }), first)
  return [...here, { ...together, account_id: '', account: 'deleted accounts' }]
}

const REASONS: Record<string, string> = {
  loss: 'The agent died or fell silent',
  error: 'The agent could not draw it',
  timeout: 'It took too long',
  sick: 'The device stopped working',
  load: 'The checkpoint did not load',
  released: 'Given back, to end or for others',
  cancelled: 'Cancelled by its account',
  discarded: 'A saved state that was not used',
  refused: 'A picture that came too late',
}

export function reasonWords(reason: string): string {
  return REASONS[reason] ?? reason
}
