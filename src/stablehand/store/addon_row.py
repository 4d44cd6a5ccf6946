"""The table of weights beside the checkpoints."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from stablehand.store.models import Table


class AddonRow(Table):
    __tablename__ = "addons"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]  #: domain.addons.AddonKind
    name: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    family: Mapped[str | None]  #: None: its header does not say
    scale: Mapped[int | None]  #: of an upscaler; None: its header does not say
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    stamp: Mapped[str]  #: changes when the file does; the hash belongs to it
    sha256: Mapped[str | None]
    source: Mapped[str | None]
    missing_since: Mapped[datetime | None]
