"""The database: the truth and the queue. One transaction is one ``Store`` method; SQL lives nowhere else."""

from stablehand.store.store import Store

__all__ = ["Store"]
