import type { JobOrder } from '@/domain/orders'
import type { Quote } from '@/domain/quotes'

import { request } from './http'

/** What an order would cost and how long it would wait; orders nothing. */
export function askQuote(order: JobOrder, signal: AbortSignal): Promise<Quote> {
  return request({ method: 'POST', url: '/quote', data: order, signal })
}
