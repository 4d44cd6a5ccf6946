/** Accounts, invitations, usage and the audit log, as administrators see them. */

export type Role = 'owner' | 'admin' | 'user'
export type AccountState = 'active' | 'unconfirmed' | 'suspended'

/** A limit's value: a number, a list of names, or null for none. */
export type Limit = number | string[] | null

export interface AdminAccount {
  id: string
  name: string
  /** null: the built-in owner, before it is claimed. */
  email: string | null
  role: Role
  tier: string
  state: AccountState
  suspended_reason: string
  created_at: string
  last_seen_at: string | null
  /** Limits of its own, in place of its tier's. */
  quotas: Record<string, Limit>
  queued: number
  /** Within 30 days. */
  pictures: number
  device_seconds: number
}

export interface AccountChange {
  role?: 'admin' | 'user'
  tier?: string
  quotas?: Record<string, Limit>
  suspended?: boolean
  reason?: string
}

export interface Tier {
  name: string
  limits: Record<string, Limit>
}

export interface Invitation {
  id: string
  email: string | null
  role: Role
  tier: string
  created_at: string
  expires_at: string
}

export interface NewInvitation extends Invitation {
  link: string
}

export interface AuditLine {
  number: number
  at: string
  action: string
  /** Who did it; null: somebody at the machine, or nobody known. */
  account_id: string | null
  account: string | null
  subject: string
  subject_name: string | null
  address: string
  details: Record<string, string>
}

/** Limits that an account may have of its own, in the order in which they are asked for. */
export const LIMITS: readonly { name: string; label: string; unit: string; list?: boolean }[] = [
  { name: 'queued', label: 'Waiting', unit: 'pictures' },
  { name: 'running', label: 'Drawn at once', unit: 'pictures' },
  { name: 'pictures_a_day', label: 'In a day', unit: 'pictures' },
  { name: 'device_seconds_a_day', label: 'Drawing in a day', unit: 'seconds' },
  { name: 'steps', label: 'Steps', unit: 'of a picture' },
  { name: 'count', label: 'Pictures', unit: 'of a job' },
  { name: 'pixels', label: 'Pixels', unit: 'width × height' },
  { name: 'kinds', label: 'Kinds', unit: 'text, image, …', list: true },
  { name: 'checkpoints', label: 'Checkpoints', unit: 'such as postcard, sd15-*', list: true },
]

/** What a field of the form holds for a limit: empty when the tier decides. */
export function limitText(value: Limit | undefined): string {
  if (value === undefined) return ''
  if (value === null) return 'none'
  return Array.isArray(value) ? value.join(', ') : String(value)
}

/** The limit that somebody typed; undefined when the tier decides. What is no number goes to the server, which says so. */
export function readLimit(text: string, list = false): Limit | string | undefined {
  const typed = text.trim()
  if (typed === '') return undefined
  if (typed.toLowerCase() === 'none') return null
  if (list) return typed.split(',').map((part) => part.trim()).filter(Boolean)
  const number = Number(typed)
  return Number.isFinite(number) ? number : typed
}

const DEEDS: Record<string, string> = {
  'account.linked': 'linked the account with',
  'account.made': 'signed up',
  'account.suspended': 'suspended',
  'account.unsuspended': 'lifted the suspension of',
  'account.role': 'changed the role of',
  'account.tier': 'changed the tier of',
  'account.quotas': 'changed the limits of',
  'account.deleted': 'deleted the account',
  'address.changed': 'changed the address',
  'address.confirmed': 'confirmed the address',
  'agent.added': 'let in the agent',
  'agent.draining': 'drained the agent',
  'agent.paused': 'paused the agent',
  'agent.removed': 'removed the agent',
  'agent.working': 'resumed the agent',
  'invitation.made': 'made an invitation as',
  'invitation.revoked': 'revoked an invitation',
  'key.made': 'made the key',
  'key.revoked': 'revoked a key',
  'link.made': 'made a link to',
  'link.revoked': 'revoked a link',
  'link.revoked_all': 'revoked all links',
  'letters.discarded': 'discarded dead letters',
  'letters.retried': 'tried dead letters again',
  'owner.claimed': 'claimed the server',
  'owner.link': 'printed a link to claim the server',
  'password.changed': 'changed the password',
  'password.reset': 'chose a new password by letter',
  'session.begun': 'signed in',
  'session.ended': 'signed out',
  'session.ended_all': 'signed out everywhere',
  'totp.disabled': 'turned one-time codes off',
  'totp.enabled': 'turned one-time codes on',
  'webhook.deleted': 'deleted the webhook at',
  'webhook.made': 'made a webhook at',
  'webhook.rotated': 'changed the secret of a webhook',
}

/** What was done, in words; one that is not known yet is told as it is called. */
export function deedOf(action: string): string {
  return DEEDS[action] ?? action.replace(/[._]/g, ' ')
}

/** Who did it. */
export function doerOf(line: Pick<AuditLine, 'account' | 'account_id'>): string {
  return line.account ?? (line.account_id === null ? 'Somebody at the machine' : 'A deleted account')
}

/** What it was done to, where that is not who did it: an account by name, anything else by its details. */
export function subjectOf(line: AuditLine): string {
  const said = Object.entries(line.details)
  const change = 'from' in line.details ? `${line.details.from || 'none'} → ${line.details.to || 'none'}` : ''
  const own = change ? 'its own account' : ''
  const name = line.subject === line.account_id ? own : (line.subject_name ?? (said.length ? '' : shortId(line.subject)))
  const rest = change || said.map(([, value]) => value).filter(Boolean).join(' · ')
  return [name, rest].filter(Boolean).join(': ')
}

function shortId(id: string): string {
  return id.length > 20 ? `${id.slice(0, 8)}…` : id
}
