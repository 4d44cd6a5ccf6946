"""The agent's standing with the server: who we say we are, and saying it again when the server forgot."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from stablehand.agent.backoff import Backoff
from stablehand.agent.client import Client, Dismissed, Forgotten, Refused, Unreachable
from stablehand.protocol import Hello, Welcome

Answer = TypeVar("Answer")

#: hellos in a row that the server may answer with 401 before we believe it
_UNAUTHORIZED_MOST = 3

log = structlog.get_logger("agent")


class Session:
    """Says hello, and wraps every other call so that a forgetful server is introduced to us again.

    Threads may share it. ``halted`` ends all waiting. ``dismissed`` says why the server will not have us, once no
    amount of waiting mends it; from then on every call ends as Unreachable.
    """

    def __init__(self, client: Client, hello: Hello, halted: threading.Event) -> None:
        self.client = client
        self.welcome: Welcome | None = None
        self.introduced = threading.Event()
        self.dismissed: str | None = None
        self.is_leaving = False  #: from now on, being forgotten is what we asked for
        self._hello = hello
        self._halted = halted
        self._greeting = threading.Lock()
        self._greetings = 0
        self._unauthorized = 0

    @property
    def incarnation(self) -> str:
        return self._hello.incarnation

    def describe(self, **facts: Any) -> None:
        """Change what the next hello says (ready, seats, device …)."""
        self._hello = self._hello.model_copy(update=facts)

    def hello(self) -> Welcome:
        """Introduce ourselves once. Raises Unreachable."""
        with self._greeting:
            return self._say_hello()

    def hello_until_heard(self) -> Welcome | None:
        """Introduce ourselves, as often as it takes. None: we were told to stop meanwhile."""
        backoff = Backoff()
        while not self._halted.is_set():
            try:
                return self.hello()
            except Unreachable as trouble:
                log.warning("the server did not answer our hello", reason=str(trouble))
                backoff.wait(self._halted, at_least=trouble.retry_after_seconds)
        return None

    def call(self, ask: Callable[[], Answer]) -> Answer:
        """One call; if the server has forgotten us, a hello and the call once more.

        Raises Unreachable (also when it forgets us again at once) and Refused.
        """
        before = self._greetings
        try:
            return self._ask(ask)
        except Forgotten as forgotten:
            if self.is_leaving:
                raise Unreachable(f"we have left: {forgotten}") from forgotten
            log.info("the server does not know us, saying hello", reason=str(forgotten))
        with self._greeting:
            if self._greetings == before:  # else another thread has introduced us in the meantime
                self._say_hello()
        try:
            return self._ask(ask)
        except Forgotten as forgotten:
            raise Unreachable(f"forgotten right after hello: {forgotten}") from forgotten

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        if self.dismissed is not None:
            raise Unreachable(self.dismissed)
        try:
            return ask()
        except Dismissed as dismissed:
            self.dismissed = str(dismissed)
            raise Unreachable(str(dismissed)) from dismissed

    def _say_hello(self) -> Welcome:
        try:
            welcome = self._ask(lambda: self.client.hello(self._hello))
        except Forgotten as forgotten:
            if forgotten.unauthorized:
                self._unauthorized += 1
                if self._unauthorized >= _UNAUTHORIZED_MOST:
                    self.dismissed = (
                        f"The server does not accept the token: {forgotten} Make one with `stablehand agents add NAME`."
                    )
            raise Unreachable(str(forgotten)) from forgotten
        except Refused as refused:
            if refused.status != 404:  # 404: something else answers at this address, perhaps only until it is up
                self.dismissed = f"The server refuses this agent: {refused.message} {refused.hint}".strip()
            raise Unreachable(str(refused)) from refused
        self._unauthorized = 0
        self._greetings += 1
        self.welcome = welcome
        self.introduced.set()
        return welcome
