/** How the service is: its agents and its queue. */

export interface Agent {
  name: string
  pool: string
  state: 'starting' | 'ready' | 'draining' | 'paused' | 'gone'
  runtime: string
  device: { kind: string; name: string; precision: string } | null
  seats: number
  running: number
  /** Names of checkpoints in memory. */
  resident: string[]
  /** Why it is drained or paused; empty while it is not. */
  reason: string
  /** Why its device is not ready; empty while nothing is wrong. */
  error: string
}

export interface Status {
  version: string
  ready: boolean
  queue: { queued: number; running: number }
  agents: Agent[]
  authentication: boolean
}

export type Readiness = 'ready' | 'starting' | 'absent'

/** Whether anybody can draw right now. */
export function readiness(status: Status): Readiness {
  if (status.agents.some((agent) => agent.state === 'ready')) return 'ready'
  return status.agents.some((agent) => agent.state === 'starting') ? 'starting' : 'absent'
}

/** Why nobody can draw, if an agent has said so; empty while somebody can, or none has. */
export function trouble(status: Status): string {
  if (readiness(status) === 'ready') return ''
  return status.agents.find((agent) => agent.state !== 'gone' && agent.error)?.error ?? ''
}
