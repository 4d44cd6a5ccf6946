"""An agent on a thread: all of its own threads and calls, without the second it takes to start a process."""

import threading

from stablehand.agent.loop import Agent
from tests.agent.runner import build


class AgentThread:
    def __init__(self, *options: str) -> None:
        self._agent = Agent(*build(options))
        self._code: int | None = None
        self._thread = threading.Thread(target=self._run, name="agent")
        self._thread.start()

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended by itself."""
        self._thread.join(seconds)
        assert self._code is not None, "the agent has not ended"
        return self._code

    def end(self) -> None:
        """Twice told, it ends at once."""
        self._agent.stop()
        self._agent.stop()
        self.wait(60)

    def _run(self) -> None:
        self._code = self._agent.run()
