import type { Account, ApiKey, BrowserSession, Door, Me, NewKey, Scope, TotpSetup } from '@/domain/accounts'
import type { Page } from '@/domain/pages'

import { request } from './http'

function post<T = unknown>(url: string, data: object = {}): Promise<T> {
  return request<T>({ method: 'POST', url, data })
}

export function readDoor(): Promise<Door> {
  return request({ url: '/auth/door' })
}

/** True when a one-time code is wanted besides. */
export async function signIn(email: string, password: string): Promise<boolean> {
  return (await post<{ tf_required: boolean }>('/auth/login', { email, password })).tf_required
}

export function giveCode(code: string): Promise<unknown> {
  return post('/auth/tf-validate', { code })
}

export function giveRecoveryCode(code: string): Promise<unknown> {
  return post('/auth/mf-recovery', { code })
}

export function signOut(): Promise<unknown> {
  return post('/auth/logout')
}

export function signUp(email: string, invitation: string): Promise<unknown> {
  return post('/auth/register', { email, ...(invitation && { invitation }) })
}

export function claim(token: string, email: string, password: string): Promise<unknown> {
  return post('/auth/claim', { token, email, password })
}

export function askForConfirmation(email: string): Promise<unknown> {
  return post('/auth/confirm', { email })
}

export function askForReset(email: string): Promise<unknown> {
  return post('/auth/reset', { email })
}

export function resetPassword(token: string, password: string): Promise<unknown> {
  return post(`/auth/reset/${encodeURIComponent(token)}`, { password, password_confirm: password })
}

export function giveAgain(password: string): Promise<unknown> {
  return post('/auth/verify', { password })
}

export function changePassword(password: string, new_password: string): Promise<unknown> {
  return post('/auth/change', { password, new_password, new_password_confirm: new_password })
}

export function changeAddress(email: string): Promise<unknown> {
  return post('/auth/change-email', { email })
}

export function readAccount(): Promise<Account> {
  return request({ url: '/account' })
}

/** By the password; by the address where the account has none. */
export function deleteMyAccount(proof: { password: string } | { email: string }): Promise<unknown> {
  return post('/account/delete', proof)
}

export function readMe(): Promise<Me> {
  return request({ url: '/me' })
}

export async function beginTotp(): Promise<TotpSetup> {
  const told = await post<Record<string, string>>('/auth/tf-setup', { setup: 'authenticator' })
  return {
    token: told.tf_state_token ?? '', key: told.tf_authr_key ?? '', picture: told.qr ?? '',
  }
}

export function confirmTotp(token: string, code: string): Promise<unknown> {
  return post(`/auth/tf-setup/${encodeURIComponent(token)}`, { code })
}

export function endTotp(): Promise<unknown> {
  return post('/auth/tf-setup', { setup: 'disable' })
}

export async function newRecoveryCodes(): Promise<string[]> {
  return (await post<{ recovery_codes: string[] }>('/auth/mf-recovery-codes')).recovery_codes
}

export async function listSessions(): Promise<BrowserSession[]> {
  return (await request<Page<BrowserSession>>({ url: '/account/sessions', params: { limit: 200 } })).items
}

export function endSession(id: string): Promise<unknown> {
  return request({ method: 'DELETE', url: `/account/sessions/${encodeURIComponent(id)}` })
}

export function endAllSessions(): Promise<unknown> {
  return request({ method: 'DELETE', url: '/account/sessions' })
}

export async function listKeys(): Promise<ApiKey[]> {
  return (await request<Page<ApiKey>>({ url: '/keys', params: { limit: 200 } })).items
}

export function makeKey(name: string, scopes: Scope[], days: number | null): Promise<NewKey> {
  return post('/keys', { name, scopes, days })
}

export function revokeKey(id: string): Promise<unknown> {
  return request({ method: 'DELETE', url: `/keys/${encodeURIComponent(id)}` })
}
