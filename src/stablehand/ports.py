"""Protocols for the few places where two implementations ship."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from stablehand.domain.dispatches import Arrived, Dispatch, Held, Never, NotNow
from stablehand.domain.letters import Letter
from stablehand.domain.manifests import Manifest
from stablehand.domain.notes import Note
from stablehand.domain.notices import Notice
from stablehand.domain.recipes import Recipe
from stablehand.protocol import AddonRef, CheckpointRef, Device


@dataclass(frozen=True, slots=True)
class Order:
    """One shot handed to a runtime. ``recipe`` already carries this shot's own seed."""

    shot_id: str
    recipe: Recipe
    checkpoint: CheckpointRef
    addons: Sequence[AddonRef] = ()
    refiner: CheckpointRef | None = None
    inputs: Mapping[str, bytes] = field(default_factory=dict)  #: id -> picture file, of all that the recipe names
    owner: str = ""  #: whose it is: a device that several share is shared out between owners, not between shots
    resume_from: bytes | None = None  #: what :meth:`Runtime.park` gave, perhaps of another process or long ago


@dataclass(frozen=True, slots=True)
class Parked:
    """The state of a shot after its last whole step: all that another process needs to go on with it."""

    shot_id: str
    data: bytes
    step: int  #: whole steps done, of ``steps``
    steps: int
    device_seconds: float  #: what it took to get so far, in all attempts


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished picture: encoded bytes with infotext inside."""

    shot_id: str
    data: bytes
    width: int
    height: int
    infotext: str
    device_seconds: float
    notes: Sequence[Note] = ()  #: what had to be done otherwise than asked for
    manifest: Manifest | None = None  #: by what it was drawn


@dataclass(frozen=True, slots=True)
class Broken:
    """A shot that could not be drawn. ``error_class`` as in protocol.Failure."""

    shot_id: str
    error_class: str
    code: str
    message: str
    hint: str = ""
    at_load: bool = False  #: its checkpoint did not load: no fault of the shot


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checkpoint that came into the device's memory: what a switch to it costs."""

    checkpoint_id: str
    seconds: float
    size_bytes: int
    from_host: bool = False  #: it waited in the host's memory and was not read from disk


class Runtime(Protocol):
    """A way to carry out recipes, several at once.

    An order with a saved state that cannot be read, or is of another recipe, checkpoint or precision, is begun anew:
    it costs time, never the shot.

    One thread (the agent's device thread) calls everything but ``progress`` and ``loading``; ``tick`` does a short
    piece of work, well under a second where it can, and the agent talks to the server from other threads meanwhile.
    """

    name: str
    kinds: Sequence[str]

    def start(self) -> None:
        """Make the device ready (imports torch, measures memory). May take seconds; called once."""

    @property
    def device(self) -> Device: ...

    @property
    def seats(self) -> int:
        """How many shots it wants to hold at once."""

    def resident(self) -> list[str]:
        """Ids of the checkpoints in memory."""

    def loads(self) -> list[Loaded]:
        """Checkpoints that came into memory since the last call, oldest first; callable from any thread."""

    def loading(self) -> str | None:
        """Id of the checkpoint that is being brought into memory just now; callable from any thread."""

    def add(self, order: Order) -> None:
        """Seat a shot. Problems with it (checkpoint missing, unknown sampler) come out of ``tick`` as Broken."""

    def drop(self, shot_id: str) -> None:
        """Forget a shot at once (cancelled or lost). Unknown ids are ignored."""

    def park(self, shot_id: str) -> Parked | None:
        """Save the state of a shot, which goes on running; None before its first step, and once it is encoded."""

    def tick(self) -> list[Drawn | Broken]:
        """Do the next piece of work for all seated shots; returns those that ended."""

    def busy(self) -> bool:
        """True while any shot is seated."""

    def progress(self) -> dict[str, float]:
        """shot id -> 0..1; callable from any thread."""

    def preview(self, shot_id: str) -> bytes | None:
        """A small JPEG of the picture as it stands, or None before the first step."""

    def close(self) -> None:
        """Give the device back."""


#: Brings weights onto this machine, however long that takes, and says where they lie. Raises StablehandError.
Fetch = Callable[[CheckpointRef | AddonRef], Path]

RuntimeFactory = Callable[[], Runtime]


class Doorbell(Protocol):
    """A wake-up hint per topic, between threads and, where there are several, between processes.

    A ring may be lost or doubled. Whoever waits looks at the store again afterwards, whatever ``wait`` answered, and
    waits for a few seconds at most. No call waits for a server.
    """

    def start(self) -> None:
        """Connect, where there is something to connect to; before that, rings stay in this process."""

    def close(self) -> None: ...

    def ring(self, topic: str) -> None:
        """Wake everybody who waits for ``topic``."""

    def heard(self) -> int:
        """A mark to give to ``wait``: rings after this moment are not missed while the store is being read."""

    def wait(self, topic: str, timeout_seconds: float, since: int | None = None) -> bool:
        """True as soon as ``topic`` has rung since ``since`` (default: since now), False after the timeout."""


class Broadcast(Protocol):
    """Messages to the other processes of this installation: hints that may be lost, never an order.

    Messages are JSON objects. One's own come back too; whoever minds marks them.
    """

    @property
    def reaches_others(self) -> bool:
        """False where there is no way to tell other processes anything."""

    @property
    def is_open(self) -> bool:
        """True while messages go out and come in."""

    def publish(self, channel: str, message: dict[str, Any]) -> None:
        """Pass a message on, soon; never waits."""

    def subscribe(self, channel: str, hear: Callable[[dict[str, Any]], None]) -> None:
        """Have ``hear`` called, in a thread of the broadcast's, with each message. Before ``start``; one a channel."""

    def on_open(self, opened: Callable[[], None]) -> None:
        """Have ``opened`` called whenever the line has been opened: messages before that moment were missed."""

    def start(self) -> None: ...

    def close(self) -> None: ...


class SinkFailed(Exception):
    """A sink could not take a notice this time; the message says why."""


class Sink(Protocol):
    """A place that notices go to: a file, the browsers of an account; mail and webhooks fit as well.

    A notice may come more than once, with the same id.
    """

    def take(self, notice: Notice) -> None:
        """Returns once the notice is there. Raises SinkFailed when it should be tried again later."""


class Channel(Protocol):
    """A way out of the house, with destinations of its own: webhooks, mail.

    To add one: write a class like this and give an instance to the courier (``wiring/serving.py``, ``channels``). Each
    notice is shown to each channel once or more (``destinations``); what it names becomes one dispatch for each
    destination, which is then carried by ``carry`` until it arrives or is given up. Tries are written down by whoever
    calls, so a channel keeps nothing itself.
    """

    name: str  #: stands in the database with each dispatch: never change it
    at_once: int  #: dispatches that may be under way at a time, to all destinations
    pauses_seconds: Sequence[float]  #: after the first, second, … failure; mostly domain.dispatches.PAUSES_SECONDS

    def destinations(self, notice: Notice) -> Sequence[str]:
        """Where a notice goes: ids or addresses, the same each time that it is asked. Raises SinkFailed."""

    def carry(self, dispatch: Dispatch, notice: Notice) -> Arrived | NotNow | Never | Held:
        """One try, in a thread of its own; ends within half a minute. An exception counts as NotNow."""


class LetterNotSent(Exception):
    """A letter could not leave this time; the message says why."""


class LetterRefused(LetterNotSent):
    """A letter will never leave: the other side wants neither it nor its reader. The message says why."""


class LetterTooLarge(LetterRefused):
    """As it is. A smaller one may pass."""


class Mailer(Protocol):
    """A way for letters to leave the house."""

    def send(self, letter: Letter) -> None:
        """Returns once somebody else is answerable for it. Raises LetterNotSent, LetterRefused, LetterTooLarge."""


#: What becomes of a finished picture: it stays as it is, is blurred beyond recognition, or fails its shot.
Verdict = Literal["keep", "blur", "refuse"]


class PictureChecker(Protocol):
    """Looks at each finished picture before anybody can see it. Called by one thread at a time, in the server."""

    def check(self, picture: bytes, recipe: Recipe) -> Verdict:
        """``picture``: the file, as PNG, WebP or JPEG. An exception keeps it from being taken; it is offered again."""
