/** Sources: pictures that drawing starts from. */

/** By id: one that was brought, or one of the gallery. */
export interface Source {
  id: string
  from: 'input' | 'image'
}

/** A picture that was brought, as the server keeps it. */
export interface Input {
  id: string
  width: number
  height: number
}

/** What the server takes. */
export const PICTURE_TYPES = ['image/png', 'image/jpeg', 'image/webp']

/** The first picture among what was pasted, dropped or chosen. */
export function pictureAmong<T extends { type: string }>(files: Iterable<T>): T | undefined {
  return [...files].find((file) => PICTURE_TYPES.includes(file.type))
}

export function isSource(value: unknown): value is Source {
  if (typeof value !== 'object' || value === null) return false
  const { id, from } = value as Record<string, unknown>
  return typeof id === 'string' && id !== '' && (from === 'input' || from === 'image')
}
