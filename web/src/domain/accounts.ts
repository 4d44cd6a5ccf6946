/** Accounts, as far as the page shows them. */

export type SignUp = 'open' | 'invitation' | 'closed'
export type Scope = 'generate' | 'read' | 'admin'

export interface Door {
  authentication: boolean
  signed_in: boolean
  sign_up: SignUp
  password_length: number
}

export interface Account {
  id: string
  email: string
  role: string
  tier: string
  /** False for one that signs in by somebody else's word. */
  has_password: boolean
  totp: boolean
  recovery_codes: number
}

/** Whoever asks; the built-in owner where nobody signs in. */
export interface Me {
  id: string
  name: string
  role: string
}

export function isAdmin(role: string | undefined): boolean {
  return role === 'owner' || role === 'admin'
}

export interface BrowserSession {
  id: string
  current: boolean
  created_at: string
  last_seen_at: string
  address: string
  browser: string
}

export interface ApiKey {
  id: string
  name: string
  hint: string
  scopes: Scope[]
  created_at: string
  expires_at: string | null
  last_used_at: string | null
}

export interface NewKey extends ApiKey {
  key: string
}

/** What an authenticator app is told. */
export interface TotpSetup {
  token: string
  key: string
  picture: string
}

/** A browser's long name for itself, in two words. */
export function browserName(agent: string): string {
  const browser = /(Firefox|Edg|OPR|Chrome|Safari|curl)/.exec(agent)?.[1] ?? 'A browser'
  const system = /(Windows|Android|iPhone|iPad|Mac OS|Linux)/.exec(agent)?.[1]
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera' }
  return [names[browser] ?? browser, system && `on ${system}`].filter(Boolean).join(' ')
}

/** Where to go after signing in: a path of this page, never another site. */
export function wayBack(asked: unknown): string {
  return typeof asked === 'string' && /^\/(?![/\\])/.test(asked) ? asked : '/'
}
