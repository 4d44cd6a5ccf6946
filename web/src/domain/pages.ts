/** Pages of images, as infinite lists hold them, and what one piece of news changes in them. */

import type { Image } from './images'

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export function allItems<T>(pages: readonly Page<T>[]): T[] {
  return pages.flatMap((page) => page.items)
}

/** Puts a new image at the front; one that is already known is replaced where it stands. */
export function withImage(pages: Page<Image>[], image: Image): Page<Image>[] {
  if (pages.some((page) => page.items.some((other) => other.id === image.id))) return replaced(pages, image)
  const [first, ...rest] = pages
  return first ? [{ ...first, items: [image, ...first.items] }, ...rest] : [{ items: [image], next_cursor: null }]
}

export function replaced(pages: Page<Image>[], image: Image): Page<Image>[] {
  return pages.map((page) => ({
    ...page,
    items: page.items.map((other) => (other.id === image.id ? image : other)),
  }))
}

export function without(pages: Page<Image>[], imageId: string): Page<Image>[] {
  return pages.map((page) => ({ ...page, items: page.items.filter((image) => image.id !== imageId) }))
}
