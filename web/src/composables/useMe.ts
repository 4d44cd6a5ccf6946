import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { readMe } from '@/api/accounts'
import { isAdmin } from '@/domain/accounts'

/** Who is here, and whether they administer. Nobody does before that is known. */
export function useMe() {
  const { data } = useQuery({ queryKey: ['me'], queryFn: readMe, staleTime: 60_000 })
  return { me: data, admin: computed(() => isAdmin(data.value?.role)) }
}
