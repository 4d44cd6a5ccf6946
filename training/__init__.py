"""How Postcard, the checkpoint that ships with Stablehand, is made: scenes, captions, and the training of its networks."""
