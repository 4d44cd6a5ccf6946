"""Turns recipes into pictures on one device: the only room that knows torch.

What may not happen here: no HTTP, no store, no encoding of files, no reaching for the network. A picture must not
depend on its neighbours in the batch.
"""

import os

# Read once, when huggingface_hub is first imported: loaders must fail on a missing file, never download it.
os.environ["HF_HUB_OFFLINE"] = "1"
