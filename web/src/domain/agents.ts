/** Agents as who runs the service sees them, and what can be decided about one. */

import type { Agent } from './status'

export type Standing = 'working' | 'draining' | 'paused'

export interface RunningShot {
  job_id: string
  index: number
  /** Name. */
  checkpoint: string
  /** 0 to 1. */
  progress: number
}

export interface AdminAgent extends Agent {
  id: string
  version: string
  shots: RunningShot[]
  /** Since when it is drained or paused. */
  since: string | null
  last_seen_at: string | null
}

export interface Decision {
  standing: Standing
  label: string
  /** What it will do. */
  means: string
}

const DRAIN: Decision = {
  standing: 'draining', label: 'Drain', means: 'It finishes what it holds and takes nothing new.',
}
const PAUSE: Decision = {
  standing: 'paused', label: 'Pause', means: 'What it holds goes back to the queue at once.',
}
const RESUME: Decision = {
  standing: 'working', label: 'Resume', means: 'It takes work again.',
}

/** What can be decided about an agent as it stands. */
export function decisionsFor(agent: Pick<AdminAgent, 'state'>): Decision[] {
  switch (agent.state) {
    case 'draining':
      return [RESUME, PAUSE]
    case 'paused':
      return [RESUME]
    default:
      return [DRAIN, PAUSE]
  }
}

/** Whether the same has been decided about an agent, as far as anybody can see: that it comes and goes is no decision. */
export function standsAlike(one: AdminAgent, other: AdminAgent): boolean {
  return one.pool === other.pool && one.reason === other.reason && one.since === other.since
}
