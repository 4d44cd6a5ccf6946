"""How an agent process ends."""

from enum import IntEnum


class Exit(IntEnum):
    """What the process ends with. 1 and 2 are Python's and the command line's own."""

    DONE = 0  #: asked to stop, or the parent is gone
    NO_RUNTIME = 3  #: the device or its libraries did not start
    DISMISSED = 4  #: the server will not have us: token unknown, wrong pool, or a newer process took our place
    SICK = 5  #: the runtime raised again and again; a fresh process may do better
