"""What can go wrong with a picture on the device, beyond the errors of the domain: they travel as codes only."""

from typing import Protocol

import torch

from stablehand.domain.errors import DeviceOutOfMemory, StablehandError


class NotFinite(StablehandError):
    """The network answered with values that are not numbers."""

    code = "not_finite"


class EngineFault(StablehandError):
    """The engine raised something nobody foresaw, for this picture alone."""

    code = "engine_fault"


class ParkedStateBroken(StablehandError):
    """Bytes that should hold a parked picture are damaged, foreign, or of another version."""

    code = "parked_state_broken"


class InputBroken(StablehandError):
    """A picture that a recipe starts from did not come, or cannot be opened."""

    code = "input_broken"


class DeviceLost(StablehandError):
    """The device no longer works; the process must be started anew."""

    code = "device_lost"


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has its own class; torch's CPU allocator says so in words only."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "not enough memory" in text)


def is_device_lost(error: BaseException) -> bool:
    """After such an error every further call to the device fails as well."""
    return not is_out_of_memory(error) and (
        isinstance(error, torch.AcceleratorError) or (isinstance(error, RuntimeError) and "CUDA error" in str(error))
    )


class Sized(Protocol):
    """What is to become a picture: a recipe, or an enlargement."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


def explain(error: Exception, drawn: Sized, device: str) -> StablehandError:
    """What to tell the owner of a picture that ended with ``error`` on the device of that name."""
    if isinstance(error, StablehandError):
        return error
    if is_out_of_memory(error):
        return DeviceOutOfMemory(
            f"{device} has not enough memory for one picture of {drawn.width}×{drawn.height}.",
            hint="Ask for a smaller picture, or use half precision or a device with more memory.",
        )
    fault = EngineFault(
        f"The engine failed on this picture: {type(error).__name__}: {first_line(error)}",
        hint="This is a defect; please report it with the recipe.",
    )
    fault.__cause__ = error
    return fault


def device_lost(error: Exception, device: str) -> DeviceLost:
    return DeviceLost(
        f"The device {device} stopped working: {first_line(error)}",
        hint="The agent starts again by itself; look at its log if this repeats.",
    )


def not_finite(where: str) -> NotFinite:
    return NotFinite(
        f"The network answered with values that are not numbers in {where}.",
        hint="Try another sampler or a lower guidance scale; if every picture fails, the checkpoint is unsound.",
    )


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
