import type { OwnSums, OwnUsageLine, Period, Sums, UsageLine, UsageReport } from '@/domain/usage'

import { request } from './http'

interface Page<Line, Total> extends UsageReport<Line, Total> {
  next_cursor: string | null
}

/** `by`: what lines are told apart by. */
export function ownUsage(period: Period, by: 'day' | 'checkpoint'): Promise<UsageReport<OwnUsageLine, OwnSums>> {
  return whole('/usage', { ...period, by })
}

export function usageOfAll(period: Period, by: 'day' | 'account' | 'checkpoint' | 'reason'): Promise<UsageReport<UsageLine, Sums>> {
  return whole('/admin/usage', { ...period, by })
}

/** Where the browser fetches the same from, for a spreadsheet. */
export function csvAddress(period: Period, of: 'own' | 'all'): string {
  return `/api/v1/${of === 'own' ? 'usage' : 'admin/usage'}.csv?${new URLSearchParams({ ...period }).toString()}`
}

async function whole<Line, Total>(url: string, asked: object): Promise<UsageReport<Line, Total>> {
  const first = await request<Page<Line, Total>>({ url, params: { limit: 200, ...asked } })
  const items = [...first.items]
  let cursor = first.next_cursor
  while (cursor) {
    const page = await request<Page<Line, Total>>({ url, params: { limit: 200, ...asked, cursor } })
    items.push(...page.items)
    cursor = page.next_cursor
  }
  return { ...first, items }
}
