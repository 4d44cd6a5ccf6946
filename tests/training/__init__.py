"""The renderer, the vocabulary, the judge, and the checkpoint that ships."""
