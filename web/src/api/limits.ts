import type { Allowance } from '@/domain/limits'

import { request } from './http'

export function getLimits(): Promise<Allowance> {
  return request({ url: '/me/limits' })
}
