/** Why a job waits, in a sentence for the person who waits. */

import { countOf, type QueuePlace } from './jobs'
import type { Readiness } from './status'

export function whyWaiting(place: QueuePlace | null, agents: Readiness | null): string {
  if (place?.reason) return place.reason
  if (agents === 'starting') return 'The engine is still starting. This begins by itself once it is ready.'
  if (agents === 'absent') return 'No agent is connected. This waits safely and begins as soon as one is.'
  if (!place) return 'Waiting for its turn.'
  const eta = place.eta_seconds === null ? '' : `, ${roughly(place.eta_seconds)}`
  if (place.ahead > 0) return `${countOf(place.ahead, 'picture')} ahead${eta}`
  return `Next in line${eta}`
}

/** A duration as people say it: "a moment", "about 40 s", "about 3 min", "about 2 h". */
export function roughly(seconds: number): string {
  if (seconds < 2) return 'a moment'
  if (seconds < 90) return `about ${Math.round(seconds)} s`
  if (seconds < 90 * 60) return `about ${Math.round(seconds / 60)} min`
  return `about ${Math.round(seconds / 3600)} h`
}
