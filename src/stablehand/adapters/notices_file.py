"""A file to which every notice is appended as one line of JSON."""

import json
import os
from pathlib import Path

from stablehand.domain.notices import Notice
from stablehand.ports import SinkFailed


class NoticesFile:
    """Implements ports.Sink. The file is opened for each notice, so it may be moved away at any time (logrotate)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, notice: Notice) -> None:
        line = json.dumps(notice.as_dict(), ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                # One write: lines of two processes never run into each other.
                if os.write(file, line.encode()) != len(line.encode()):
                    raise SinkFailed(f"{self._path} took only a part of the line.")
            finally:
                os.close(file)
        except OSError as error:
            raise SinkFailed(f"{self._path} cannot be written: {error.strerror}.") from error
