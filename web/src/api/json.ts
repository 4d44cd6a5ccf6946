/**
 * JSON with whole seeds. A seed may have 19 digits, which a JavaScript number would round, so seeds are read as their
 * own digits and written back as the number they are.
 */

/** What engines with JSON.parse source text access hand to a reviver; others hand nothing. */
interface Source {
  source?: string
}

export function keepSeeds(key: string, value: unknown, context?: Source): unknown {
  return key === 'seed' && typeof value === 'number' ? (context?.source ?? String(value)) : value
}

export function readJson(text: string): unknown {
  return JSON.parse(text, keepSeeds as (key: string, value: unknown) => unknown)
}

/**
 * A quote inside a JSON string is always escaped, so the pattern can only ever meet the key itself.
 */
const QUOTED_SEED = /"seed":"(-?\d+)"/g

export function writeJson(value: unknown): string {
  return JSON.stringify(value).replace(QUOTED_SEED, '"seed":$1')
}
