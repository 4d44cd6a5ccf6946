/** Strokes: a mask as the marks of a brush, so that each can be taken back. Lengths are pixels of the mask. */

import type { Size } from './sizes'

export interface Point {
  x: number
  y: number
}

export interface Stroke {
  points: readonly Point[]
  /** Diameter of the brush. */
  width: number
  erases: boolean
}

/** A stroke, or the wiping of everything before it. */
export type Mark = Stroke | 'wipe'

/** More pixels than this a side tell the network nothing: the mask ends at the size of its latents. */
const SIDE_MAX = 1536

/** The size at which a mask for a picture is painted. */
export function maskSize(picture: Size): Size {
  const scale = Math.min(1, SIDE_MAX / Math.max(picture.width, picture.height))
  return { width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)) }
}

/** The diameter of a brush that is so many hundredths of the shorter side. */
export function brushWidth(percent: number, size: Size): number {
  return Math.max(1, (Math.min(size.width, size.height) * percent) / 100)
}

/** What is to be painted, in order: whatever stands before the last wipe is gone. */
export function visible(marks: readonly Mark[]): { strokes: Stroke[]; isWiped: boolean } {
  const last = marks.lastIndexOf('wipe')
  return { strokes: marks.slice(last + 1).filter((mark): mark is Stroke => mark !== 'wipe'), isWiped: last >= 0 }
}

/** With a wipe, unless there is nothing to wipe. */
export function wiped(marks: readonly Mark[], hasBase: boolean): Mark[] {
  const { strokes, isWiped } = visible(marks)
  return strokes.length === 0 && (isWiped || !hasBase) ? [...marks] : [...marks, 'wipe']
}

/** The brush a step to a side, kept on the picture. */
export function stepped(from: Point, key: string, step: number, size: Size): Point | null {
  const ways: Record<string, readonly [number, number]> = {
    ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  }
  const way = ways[key]
  if (!way) return null
  return { x: clamp(from.x + way[0] * step, size.width), y: clamp(from.y + way[1] * step, size.height) }
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value))
}
