"""The database: the truth and the queue. One transaction is one ``Store`` method; SQL lives nowhere else."""

from stablehand.store.store import DATABASE_NAME, Store

__all__ = ["DATABASE_NAME", "Store"]
