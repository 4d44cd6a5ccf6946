/** Links by which others see pictures of one's own, without an account. */

export interface Link {
  id: string
  kind: 'image' | 'job' | 'images'
  /** The first of them; none where it leads to a job. */
  image_ids: string[]
  /** How many were chosen; null: those of a job. */
  count: number | null
  job_id: string | null
  /** To give away. */
  url: string
  page_url: string
  zip_url: string
  created_at: string
  expires_at: string
}

/** For how many days a link may work, as people choose. */
export const LIFETIMES = [
  { days: 1, label: '1 day' },
  { days: 7, label: '7 days' },
  { days: 30, label: '30 days' },
] as const

/** What a link leads to, in words. */
export function contentsOf(link: Pick<Link, 'kind' | 'count'>): string {
  if (link.kind === 'image') return 'One picture'
  if (link.kind === 'job') return 'All pictures of a job'
  return link.count === 1 ? 'One picture, on a page' : `${link.count} pictures`
}
