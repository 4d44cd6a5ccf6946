"""Turns recipes into pictures on one device: the only room that knows torch.

What may not happen here: no HTTP, no store, no encoding of files, no reaching for the network. A picture must not
depend on its neighbours in the batch.
"""

import os

# Read once, when huggingface_hub is first imported: loaders must fail on a missing file, never download it.
os.environ["HF_HUB_OFFLINE"] = "1"

# Read once, when torch's OpenMP is first loaded: how long a thread spins before it sleeps when it waits for the others.
# With the default, milliseconds, a machine that is busy with other things too becomes about four times slower still
# (docs/benchmarks.md); on a quiet one this costs nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
