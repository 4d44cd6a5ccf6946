"""Which kernel computes attention: torch chooses one of several by device, precision, shapes and masks.

They add up in different orders, so their results differ in the last bits.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import torch
from torch.nn.attention import SDPBackend
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

#: Kinds of call that are remembered; their shapes are a user's choice, so there is no end to them.
KINDS_MOST = 256

Result = TypeVar("Result")

_NAMES: dict[Any, str] = {
    SDPBackend.MATH: "math",
    SDPBackend.FLASH_ATTENTION: "flash",
    SDPBackend.EFFICIENT_ATTENTION: "efficient",
    SDPBackend.CUDNN_ATTENTION: "cudnn",
}


class AttentionPaths:
    """The kernels that a network's calls use. The first call of each kind is watched, the others are taken to do alike.

    Watching asks torch for the choice it is about to make and changes nothing in the call.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, frozenset[str]] = {}
        self._used: set[str] = set()

    def call(self, kind: Hashable, run: Callable[[], Result]) -> Result:
        """What ``run`` returns; ``kind``: all that the choice of its kernels may depend on."""
        known = self._known.get(kind)
        if known is not None:
            self._used |= known
            return run()
        with _Watch() as watch:
            result = run()
        if len(self._known) >= KINDS_MOST:
            self._known.clear()
        self._known[kind] = frozenset(watch.seen)
        self._used |= watch.seen
        return result

    def take(self) -> frozenset[str]:
        """The kernels that calls have used since this was asked last."""
        used, self._used = frozenset(self._used), set()
        return used


class _Watch(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is scaled_dot_product_attention:
            self.seen.add(_choice(*args, **(kwargs or {})))
        return func(*args, **(kwargs or {}))


def _choice(query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> str:
    """The kernel that torch takes for these arguments; its number where it has no name here."""
    number = torch._fused_sdp_choice(query, key, value, *args, **kwargs)
    return next((name for backend, name in _NAMES.items() if int(backend) == number), str(number))
