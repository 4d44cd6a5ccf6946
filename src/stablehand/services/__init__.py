"""Use cases, one verb a file. Each takes ``Services`` first, decides with the domain's functions and lets the store
carry it out in one transaction; browsers and doorbells hear of it after the commit.
"""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from stablehand.adapters.blocklist import Blocklist
from stablehand.adapters.broadcast import NoOthers
from stablehand.adapters.objects import Objects
from stablehand.adapters.outside import Rules
from stablehand.domain.limits import Limits
from stablehand.domain.pools import DEFAULT_POOL, Pool
from stablehand.domain.webhooks import WebhookLimits
from stablehand.ports import Broadcast, Doorbell, PictureChecker
from stablehand.services.feed import Feed
from stablehand.services.space import Space
from stablehand.store import Store

__all__ = ["Limits", "Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a use case may touch; made once by the wiring."""

    store: Store
    objects: Objects
    doorbell: Doorbell
    feed: Feed
    broadcast: Broadcast = field(default_factory=NoOthers)  #: to the other processes, where there are some
    limits: Limits = field(default_factory=Limits)
    pools: tuple[Pool, ...] = (DEFAULT_POOL,)
    default_checkpoint: str | None = None  #: id or name (``models.default_model``); None: Postcard
    models_dir: Path = Path("models")  #: ``models.location``
    default_vae: str | None = None  #: name of an autoencoder (``models.vae``); None: each checkpoint's own
    public_url: str | None = None  #: ``storage.public_url``: where browsers fetch pictures, if not from us
    presigned_uploads: bool = True  #: agents send pictures straight to the bucket, where there is one
    fetching: Rules = field(default_factory=Rules)  #: of addresses that users give
    webhooks: WebhookLimits = field(default_factory=WebhookLimits)
    blocklist: Blocklist | None = None  #: of what prompts may not hold
    checker: PictureChecker | None = None  #: looks at each picture before it is taken
    checking: threading.Lock = field(default_factory=threading.Lock)  #: held while it looks
    space: Space = field(init=False)  #: whether ``objects`` takes pictures

    def __post_init__(self) -> None:
        object.__setattr__(self, "space", Space(self.objects))

    @property
    def stages(self) -> bool:
        """True when agents may put pictures into the object store themselves, past whoever would look at them."""
        return self.checker is None and self.presigned_uploads and self.objects.gives_links
