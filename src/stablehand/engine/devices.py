"""Which device the engine runs on, in which precision, and how much memory it may use there."""

import math
import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from stablehand.domain.errors import BadSettings

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

#: Turing chips without tensor cores, by the names of their cards: convolutions in float16 give them values that are not
#: numbers, as their owners report for every program.
_NO_FP16 = re.compile(r"\b(GTX 16\d\d|T500|T550|T600|T1000|T1200|T2000|MX450|MX550)\b")


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and how to compute on it."""

    device: torch.device
    name: str
    precision: str  #: a key of PRECISIONS
    memory_bytes: int  #: in all

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.precision]

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout of activations: convolutions on this device run without reordering them."""
        return torch.channels_last

    def decoder_dtype(self, family: str) -> torch.dtype:
        """What an autoencoder computes in: SDXL's overflows the range of float16, not that of bfloat16."""
        if self.dtype != torch.float16 or not family.startswith("sdxl"):
            return self.dtype
        has_bf16 = self.device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bf16 else torch.float32

    def free_bytes(self) -> int:
        """What could be allocated now, including what torch holds in reserve."""
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            reserved = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
            return free + reserved
        return free_memory_bytes()

    def release_cached(self) -> None:
        """Give back what torch keeps in reserve; slow, so only after running out."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def choose(precision: str = "auto", threads: int | None = None) -> Placement:
    """CUDA when there is one, else the CPU.

    ``threads`` limits the CPU's; without it, all that this process may use. Raises BadSettings for a precision that
    does not exist or that this CPU cannot do.
    """
    if precision not in ("auto", *PRECISIONS):
        raise BadSettings(f"compute.precision is {precision!r}.", hint=f"Use auto, {', '.join(PRECISIONS)}.", fields={})
    torch.set_num_threads(threads if threads is not None else min(torch.get_num_threads(), _allowed_cpus()))
    if torch.cuda.is_available():
        index = torch.cuda.current_device()
        properties = torch.cuda.get_device_properties(index)
        _compute_repeatably()
        return Placement(
            torch.device("cuda", index),
            properties.name,
            gpu_precision(properties.name) if precision == "auto" else precision,
            properties.total_memory,
        )
    if precision == "fp16":
        raise BadSettings(
            "compute.precision is fp16, but this machine has no GPU.", hint="Use auto, fp32 or bf16 on a CPU."
        )
    if precision == "auto":
        precision = "bf16" if _computes_bf16_fast() else "fp32"
    return Placement(torch.device("cpu"), cpu_name(), precision, _total_memory())


def gpu_precision(name: str) -> str:
    """The automatic precision of a CUDA device with this name."""
    return "fp32" if _NO_FP16.search(name) else "fp16"


def _compute_repeatably() -> None:
    """The same call gives the same bits, before and after a restart, and fp32 is what it says."""
    torch.backends.cudnn.benchmark = False  # it picks kernels by timing
    torch.backends.cudnn.deterministic = True
    # Torch rounds the inputs of float32 convolutions to 10 bits unless told not to; those of products it leaves alone.
    torch.backends.cudnn.allow_tf32 = False


def _computes_bf16_fast() -> bool:
    """Only instructions for bf16 make it pay: emulated on plain AVX-512 it takes three times as long as float32."""
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def _allowed_cpus(root: Path = Path("/sys/fs/cgroup")) -> int:
    """CPUs this process may use. Torch counts the machine's; threads beyond a container's share only get in the way."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return allowed
    return allowed if quota == "max" else max(1, min(allowed, math.ceil(int(quota) / int(period))))


@cache
def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _total_memory() -> int:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit, _ = _container_memory()
    return min(machine, limit or machine)


def free_memory_bytes() -> int:
    """What may still be allocated, here or in the container: on a CPU, asking for more ends the process unheard."""
    free = _total_memory() // 2
    info = Path("/proc/meminfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
    limit, used = _container_memory()
    return min(free, max(0, limit - used)) if limit else free


def _container_memory(root: Path = Path("/sys/fs/cgroup")) -> tuple[int | None, int]:
    """The limit of a control group (version 2, then 1), None without one, and what is used of it but for file cache."""
    for folder, limit_name, used_name in (
        (root, "memory.max", "memory.current"),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            limit, used = (folder / limit_name).read_text().strip(), int((folder / used_name).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        if limit.isdigit() and int(limit) < 2**60:  # version 1 writes a huge number for "no limit"
            return int(limit), used - int(stat.get("inactive_file", 0))
    return None, 0
