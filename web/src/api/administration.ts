import type {
  AccountChange, AdminAccount, AuditLine, Invitation, NewInvitation, Tier,
} from '@/domain/administration'
import type { Page } from '@/domain/pages'

import { everything } from './catalogue'
import { request, requestTagged, restingOn, type Tagged } from './http'

export interface AccountFilter {
  search: string
  /** Empty: all. */
  state: string
}

export function listAccounts({ search, state }: AccountFilter, cursor?: string): Promise<Page<AdminAccount>> {
  const params = { limit: 50, ...(search && { search }), ...(state && { state }), ...(cursor && { cursor }) }
  return request({ url: '/admin/accounts', params })
}

export function lookAtAccount(id: string): Promise<Tagged<AdminAccount>> {
  return requestTagged({ url: pathOf(id) })
}

/** `etag`: what it was like when it was looked at; empty: whatever it is like now. */
export function changeAccount(id: string, change: AccountChange, etag: string): Promise<AdminAccount> {
  return request({ method: 'PATCH', url: pathOf(id), data: change, headers: restingOn(etag) })
}

export function deleteAccount(id: string, etag: string): Promise<unknown> {
  return request({ method: 'DELETE', url: pathOf(id), headers: restingOn(etag) })
}

export function listTiers(): Promise<Tier[]> {
  return everything('/admin/tiers')
}

export function listInvitations(): Promise<Invitation[]> {
  return everything('/admin/invitations')
}

export function makeInvitation(made: { email: string | null; role: string; tier: string; days: number }): Promise<NewInvitation> {
  return request({ method: 'POST', url: '/admin/invitations', data: made })
}

export function revokeInvitation(id: string): Promise<unknown> {
  return request({ method: 'DELETE', url: `/admin/invitations/${encodeURIComponent(id)}` })
}

/** `action`: its beginning; empty: all. */
export function listAudit(action: string, cursor?: string): Promise<Page<AuditLine>> {
  return request({ url: '/admin/audit', params: { limit: 50, ...(action && { action }), ...(cursor && { cursor }) } })
}

function pathOf(id: string): string {
  return `/admin/accounts/${encodeURIComponent(id)}`
}
