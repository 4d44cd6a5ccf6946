import { expect, it } from 'vitest'

import { shapeOf, SHAPES, sizeFor, snap } from './sizes'

it.each([256, 512, 768, 1024])('every shape at %i px is allowed, of about the native area, and known again', (native) => {
  for (const shape of SHAPES) {
    const size = sizeFor(shape, native)
    expect(size.width % 8).toBe(0)
    expect(size.height % 8).toBe(0)
    expect((size.width * size.height) / native ** 2).toBeGreaterThan(0.8)
    expect((size.width * size.height) / native ** 2).toBeLessThan(1.25)
    expect(shapeOf(size, native)).toBe(shape)
  }
})

it('a typed size has no shape', () => {
  expect(shapeOf({ width: 264, height: 200 }, 256)).toBeNull()
})

it('snaps into the limits', () => {
  expect([snap(3), snap(101), snap(9000)]).toEqual([64, 104, 2048])
})
