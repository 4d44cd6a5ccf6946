"""How Postcard, the checkpoint that ships with Stablehand, is made: scenes, captions, networks, figures."""
