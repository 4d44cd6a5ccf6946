"""The pure room: nouns and decisions of Stablehand as plain data. No I/O, no clock, no randomness of its own."""
