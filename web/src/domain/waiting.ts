/** Why a job waits, in a sentence for the person who waits. */

import { countOf, type QueuePlace } from './jobs'
import type { Readiness } from './status'

export function whyWaiting(place: QueuePlace | null, agents: Readiness | null): string {
  if (place?.reason) return `${place.reason}${place.eta_seconds === null ? '' : ` Done in ${doneIn(place)}.`}`
  if (agents === 'starting') return 'The engine is still starting. This begins by itself once it is ready.'
  if (agents === 'absent') return 'No agent is connected. This waits safely and begins as soon as one is.'
  if (!place) return 'Waiting for its turn.'
  const eta = place.eta_seconds === null ? '' : `, done in ${doneIn(place)}`
  if (place.ahead > 0) return `${countOf(place.ahead, 'picture')} ahead${eta}`
  return `Next in line${eta}`
}

/** The estimate with its range, where that says more: "about 3 min (2 to 5 min)". */
export function doneIn(place: QueuePlace): string {
  const { eta_seconds: eta, eta_low_seconds: low, eta_high_seconds: high } = place
  if (eta === null) return 'a while'
  if (low === null || high === null || high < 10 || high < low * 1.5) return roughly(eta)
  const [unit, seconds] = high < 90 ? ['s', 1] : high < 90 * 60 ? ['min', 60] : ['h', 3600]
  const from = Math.floor(low / Number(seconds))
  const to = Math.ceil(high / Number(seconds))
  return from === to ? roughly(eta) : `${roughly(eta)} (${from === 0 ? 'up' : from} to ${to} ${unit})`
}

/** With numbers that stay on the line of their unit. */
export function glued(text: string): string {
  return text.replace(/(\d) (?=(?:s|min|h)\b)/g, '$1\u00a0')
}

/** A duration as people say it: "a moment", "about 40 s", "about 3 min", "about 2 h". */
export function roughly(seconds: number): string {
  if (seconds < 2) return 'a moment'
  if (seconds < 90) return `about ${Math.round(seconds)} s`
  if (seconds < 90 * 60) return `about ${Math.round(seconds / 60)} min`
  return `about ${Math.round(seconds / 3600)} h`
}
