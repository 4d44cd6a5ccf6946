/** Prompts for a first picture, in words that the bundled checkpoint knows. */

export interface Example {
  prompt: string
  /** Which little scene illustrates it. */
  scene: 'house' | 'lighthouse' | 'boat' | 'balloon'
}

export const EXAMPLES: readonly Example[] = [
  { prompt: 'a red house in a meadow at sunset, purple mountains', scene: 'house' },
  { prompt: 'a white lighthouse on the beach at night, moon and stars', scene: 'lighthouse' },
  { prompt: 'a sailing boat with a yellow sail on the sea at dawn, clouds', scene: 'boat' },
  { prompt: 'an orange hot air balloon over the desert, blue mountains, sun', scene: 'balloon' },
]
