/** Sizes of pictures: the shapes people choose, at about the area a checkpoint was trained on. */

export interface Size {
  width: number
  height: number
}

export interface Shape {
  /** What the chip says. */
  label: string
  /** Width over height. */
  ratio: number
}

export const SHAPES: readonly [Shape, ...Shape[]] = [
  { label: '1:1', ratio: 1 },
  { label: '4:3', ratio: 4 / 3 },
  { label: '3:2', ratio: 3 / 2 },
  { label: '16:9', ratio: 16 / 9 },
  { label: '3:4', ratio: 3 / 4 },
  { label: '2:3', ratio: 2 / 3 },
]

/** The UNet halves its latent twice or thrice; sides of whole multiples of this lose nothing on the way. */
const GRAIN = 32

const SIDE_MIN = 64
const SIDE_MAX = 2048

/** The size of a shape with about native_size² pixels. */
export function sizeFor(shape: Shape, nativeSize: number): Size {
  const root = Math.sqrt(shape.ratio)
  return { width: snap(nativeSize * root, GRAIN), height: snap(nativeSize / root, GRAIN) }
}

/** The shape a size was made from, or null when it was typed by hand. */
export function shapeOf(size: Size, nativeSize: number): Shape | null {
  return (
    SHAPES.find((shape) => {
      const made = sizeFor(shape, nativeSize)
      return made.width === size.width && made.height === size.height
    }) ?? null
  )
}

/** About native_size² pixels in the proportions of a picture, as the server would choose for it. */
export function sizeLike(picture: Size, nativeSize: number): Size {
  const root = Math.sqrt(picture.width / picture.height)
  return { width: snap(nativeSize * root), height: snap(nativeSize / root) }
}

/** The nearest allowed side: a multiple of the grain within the limits. */
export function snap(side: number, grain = 8): number {
  const snapped = Math.round(side / grain) * grain
  return Math.min(SIDE_MAX, Math.max(SIDE_MIN, snapped))
}
