/** Accounts, as far as the page shows them. */

export type SignUp = 'open' | 'invitation' | 'closed'
export type Scope = 'generate' | 'read' | 'admin'

export interface Door {
  authentication: boolean
  signed_in: boolean
  sign_up: SignUp
  password_length: number
  /** What the button says that leads to an identity provider; null: there is none. */
  provider: string | null
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
  sign_out_path: string | null
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

/** The address that leads to the identity provider, and back to a page of ours. */
export function providerPath(to: unknown, invitation = ''): string {
  const query = new URLSearchParams({ to: wayBack(to), ...(invitation && { invitation }) })
  return `/api/v1/auth/oidc/sign-in?${query}`
}

/** Why the way back from the identity provider ended at our door, and what to do. */
const PROBLEMS = new Map<string, [title: string, text: string]>(Object.entries({
  provider_away: ['The sign-in service does not answer', 'Try again in a little while, or sign in with a password.'],
  provider_refused: ['You were not signed in', 'It was called off at the sign-in service. Try again if that was not meant.'],
  provider_trouble: ['The sign-in service gave an answer that cannot be used', 'An administrator finds out more in the server\'s log.'],
  sign_in_expired: ['That took too long, or another try has begun since', 'Try again from here.'],
  address_missing: ['The sign-in service did not tell your e-mail address', 'An account needs one. An administrator can ask the service for it.'],
  address_unverified: [
    'The sign-in service does not say that your e-mail address is yours', 'Confirm it there, then try again; or ask an administrator.',
  ],
  address_taken: [
    'There is an account with your address already', 'Sign in with its password. An administrator can let both ways lead to it.',
  ],
  invitation_needed: ['You need an invitation', 'Open the link of one, and go on to the sign-in service from there.'],
  sign_up_closed: ['New accounts are not made here', 'Ask an administrator for one.'],
  account_unusable: ['Your account cannot be used', 'Ask an administrator why.'],
}))

export function problemWords(problem: unknown): { title: string; text: string } | null {
  if (typeof problem !== 'string' || !problem) return null
  const [title, text] = PROBLEMS.get(problem) ?? ['Signing in did not work', 'Try again.']
  return { title, text }
}
