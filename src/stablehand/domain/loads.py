"""Loads: how long an agent takes to bring a checkpoint into its memory, before and after it was measured."""

#: Weight of the newest measurement in the moving average: the first load comes from disk, later ones may not.
NEWEST_WEIGHT = 0.3

#: What is assumed of a load that nobody has measured: a start, and reading the weights from a fast disk.
FIRST_SECONDS = 0.5
FIRST_BYTES_PER_SECOND = 500e6

#: A stopwatch that says more is broken.
SECONDS_MOST = 3600.0


def learn_load(previous_seconds: float | None, measured_seconds: float) -> float:
    """The moving average after one more load."""
    measured = min(SECONDS_MOST, max(0.0, measured_seconds))
    if previous_seconds is None:
        return measured
    return (1 - NEWEST_WEIGHT) * previous_seconds + NEWEST_WEIGHT * measured


def load_seconds(*, own_seconds: float | None, others_seconds: float | None, size_bytes: int) -> float:
    """S: what an agent measured itself, else what others did, else what so many bytes should take."""
    if own_seconds is not None:
        return own_seconds
    if others_seconds is not None:
        return others_seconds
    return FIRST_SECONDS + size_bytes / FIRST_BYTES_PER_SECOND
