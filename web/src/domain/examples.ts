import examples from './examples.json'

/** A prompt for a first picture, in words that the bundled checkpoint knows, and the picture it drew from it. */
export interface Example {
  prompt: string
  picture: string
}

const PICTURES = import.meta.glob<string>('../assets/examples/*.webp', { eager: true, import: 'default', query: '?url' })

export const EXAMPLES: readonly Example[] = examples.map(({ name, prompt }) => ({
  prompt,
  picture: PICTURES[`../assets/examples/${name}.webp`] ?? '',
}))
