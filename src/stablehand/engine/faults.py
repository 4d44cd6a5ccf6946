"""What can go wrong with a picture on the device, beyond the errors of the domain: they travel as codes only."""

import torch

from stablehand.domain.errors import StablehandError


class NotFinite(StablehandError):
    """The network answered with values that are not numbers."""

    code = "not_finite"


class EngineFault(StablehandError):
    """The engine raised something nobody foresaw, for this picture alone."""

    code = "engine_fault"


class ParkedStateBroken(StablehandError):
    """Bytes that should hold a parked picture are damaged, foreign, or of another version."""

    code = "parked_state_broken"


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
