import { expect, it } from 'vitest'

import { brushWidth, maskSize, stepped, visible, wiped, type Stroke } from './strokes'

function aStroke(x: number): Stroke {
  return { points: [{ x, y: 1 }], width: 4, erases: false }
}

it('shows what was painted after the last wipe', () => {
  expect(visible([aStroke(1), 'wipe', aStroke(2)])).toEqual({ strokes: [aStroke(2)], isWiped: true })
  expect(visible([aStroke(1)])).toEqual({ strokes: [aStroke(1)], isWiped: false })
})

it('wipes only where there is something to wipe, so that taking back undoes what was seen', () => {
  expect(wiped([], false)).toEqual([])
  expect(wiped([], true)).toEqual(['wipe'])
  expect(wiped(['wipe'], true)).toEqual(['wipe'])
  expect(wiped([aStroke(1)], false)).toEqual([aStroke(1), 'wipe'])
})

it('paints large pictures smaller, in their proportions, and small ones as they are', () => {
  expect(maskSize({ width: 4096, height: 2048 })).toEqual({ width: 1536, height: 768 })
  expect(maskSize({ width: 256, height: 192 })).toEqual({ width: 256, height: 192 })
})

it('measures the brush by the shorter side', () => {
  expect(brushWidth(10, { width: 400, height: 200 })).toBe(20)
})

it('carries the brush by arrows, no further than the edge', () => {
  const size = { width: 100, height: 50 }
  expect(stepped({ x: 50, y: 25 }, 'ArrowRight', 10, size)).toEqual({ x: 60, y: 25 })
  expect(stepped({ x: 50, y: 4 }, 'ArrowUp', 10, size)).toEqual({ x: 50, y: 0 })
  expect(stepped({ x: 50, y: 25 }, 'x', 10, size)).toBeNull()
})
