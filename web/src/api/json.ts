/**
 * JSON with whole seeds. A seed or a variation seed may have 19 digits, which a JavaScript number would round, so seeds are read as their
 * own digits and written back as the number they are.
 *
 * Both ways work on the text. That is safe: a quote inside a JSON string is always escaped, so the patterns can meet
 * nothing but the key itself.
 */

const BARE_SEED = /"((?:sub)?seed)":\s*(-?\d+)/g
const QUOTED_SEED = /"((?:sub)?seed)":"(-?\d+)"/g

/** The text of some JSON with its seeds as strings. */
export function quoteSeeds(text: string): string {
  return text.replace(BARE_SEED, '"$1":"$2"')
}

export function readJson(text: string): unknown {
  return JSON.parse(quoteSeeds(text))
}

export function writeJson(value: unknown): string {
  return JSON.stringify(value).replace(QUOTED_SEED, '"$1":$2')
}
