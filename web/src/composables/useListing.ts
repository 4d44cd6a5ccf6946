import { useQuery, useQueryClient } from '@tanstack/vue-query'

/** A list that is changed here: `reread` fetches it anew, whatever answer from before the change is still on its way. */
export function useListing<T>(name: string, list: () => Promise<T>) {
  const client = useQueryClient()
  const queryKey = [name]
  const query = useQuery({ queryKey, queryFn: list })

  async function reread(): Promise<void> {
    await client.cancelQueries({ queryKey })
    await query.refetch()
  }

  return { ...query, reread }
}
