"""Upscalers: the names of those that are formulas, as A1111 writes them, and networks told by their files' headers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Literal

Shapes = Mapping[str, Sequence[int]]

#: Of latents, for the second pass only.
LATENT_UPSCALERS = (
    "Latent",
    "Latent (antialiased)",
    "Latent (bicubic)",
    "Latent (bicubic antialiased)",
    "Latent (nearest)",
    "Latent (nearest-exact)",
)

#: Of pixels, without a network.
PIXEL_UPSCALERS = ("Lanczos", "Nearest")

#: What training programs put before every name.
_PREFIXES = ("params_ema.", "params.", "module.", "netG.", "generator.")
#: name as it is today <- as files of 2018 and 2019 have it
_FORMER = (
    (re.compile(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)"), r"body.\1.rdb\2.conv\3.\4"),
    (re.compile(r"model\.1\.sub\.\d+\.(weight|bias)"), r"conv_body.\1"),
    (re.compile(r"RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)\.(weight|bias)"), r"body.\1.rdb\2.conv\3.\4"),
    (re.compile(r"trunk_conv\.(weight|bias)"), r"conv_body.\1"),
    (re.compile(r"upconv(\d)\.(weight|bias)"), r"conv_up\1.\2"),
    (re.compile(r"HRconv\.(weight|bias)"), r"conv_hr.\1"),
)
_NUMBERED = re.compile(r"model\.(\d+)\.(weight|bias)")


@dataclass(frozen=True, slots=True)
class UpscalerLayout:
    """A network that enlarges pictures: what to build, and where its values lie in the file."""

    architecture: Literal["rrdb", "compact"]
    scale: int  #: pixels a side that become of one
    sizes: Mapping[str, int]  #: what the network is built with
    names: Mapping[str, str]  #: of a value in the network -> in the file


def find_upscaler(text: str, *, latent: bool = False) -> str | None:
    """The exact name of a formula for what somebody typed, or None. ``latent``: those of latents count as well."""
    wanted = text.strip().casefold()
    known = (*LATENT_UPSCALERS, *PIXEL_UPSCALERS) if latent else PIXEL_UPSCALERS
    return next((name for name in known if name.casefold() == wanted), None)


def is_formula(name: str) -> bool:
    """Whether this is the exact name of an upscaler that needs no weights."""
    return name in LATENT_UPSCALERS or name in PIXEL_UPSCALERS


def recognise_upscaler(shapes: Shapes) -> UpscalerLayout | None:
    """The network that a file with these tensors holds; None for one that is not built in.

    Known are ESRGAN's RRDBNet under the names of 2018, of 2019 and of today, Real-ESRGAN's variants of it that fold the
    picture first, and Real-ESRGAN's compact network.
    """
    prefix = next((prefix for prefix in _PREFIXES if shapes and all(key.startswith(prefix) for key in shapes)), "")
    plain = {key.removeprefix(prefix): key for key in shapes}
    sizes = {name: tuple(shapes[key]) for name, key in plain.items()}
    if any(re.fullmatch(r"body\.\d+\.weight", name) for name in plain):
        return _compact(sizes, plain)
    return _rrdb(shapes, _todays_names(plain))


def _todays_names(plain: Mapping[str, str]) -> dict[str, str]:
    """Name of today -> name in the file."""
    numbers = sorted({int(match[1]) for name in plain if (match := _NUMBERED.fullmatch(name))})
    between = {number: f"conv_up{place}" for place, number in enumerate(numbers[1:-2], start=1)}
    ends = dict(zip([*numbers[:1], *numbers[-2:]], ("conv_first", "conv_hr", "conv_last"), strict=False))
    parts = {**between, **ends} if len(numbers) >= 3 else {}
    found = {}
    for name, key in plain.items():
        match = _NUMBERED.fullmatch(name)
        if match is not None and int(match[1]) in parts:
            found[f"{parts[int(match[1])]}.{match[2]}"] = key
            continue
        today = next((former.sub(now, name) for former, now in _FORMER if former.fullmatch(name)), name)
        found[today] = key
    return found


def _rrdb(shapes: Shapes, names: Mapping[str, str]) -> UpscalerLayout | None:
    def shape(name: str) -> tuple[int, ...]:
        found = tuple(shapes[names[name]]) if name in names else ()
        return found if len(found) == 4 else (0, 0, 0, 0)

    width, given, *_ = shape("conv_first.weight")
    drawn, *_ = shape("conv_last.weight")
    growth, *_ = shape("body.0.rdb1.conv1.weight")
    blocks = _count(names, r"body\.(\d+)\..*")
    doublings = _count(names, r"conv_up(\d+)\..*")
    fold = isqrt(given // 3)
    expected = {
        f"{part}.{end}"
        for part in (
            "conv_first",
            "conv_body",
            "conv_hr",
            "conv_last",
            *(f"conv_up{number}" for number in range(1, doublings + 1)),
            *(
                f"body.{block}.rdb{dense}.conv{conv}"
                for block in range(blocks)
                for dense in range(1, 4)
                for conv in range(1, 6)
            ),
        )
        for end in ("weight", "bias")
    }
    if drawn != 3 or not blocks or not fold or given != 3 * fold * fold or set(names) != expected:
        return None
    if 2**doublings % fold:
        return None
    sizes = {"width": width, "growth": growth, "blocks": blocks, "doublings": doublings, "fold": fold}
    return UpscalerLayout("rrdb", 2**doublings // fold, sizes, names)


def _compact(sizes: Mapping[str, tuple[int, ...]], plain: Mapping[str, str]) -> UpscalerLayout | None:
    """Convolutions and PReLUs in turn; the last convolution makes the new pixels, three colours for each."""
    last = _count(plain, r"body\.(\d+)\..*") - 1
    width = sizes.get("body.0.weight", (0,))[0]
    expected: dict[str, tuple[int, ...]] = {}
    for number in range(0, last + 1, 2):
        outputs = width if number < last else sizes[f"body.{last}.weight"][0]
        expected[f"body.{number}.weight"] = (outputs, width if number else 3, 3, 3)
        expected[f"body.{number}.bias"] = (outputs,)
        if number < last:
            expected[f"body.{number + 1}.weight"] = (width,)
    scale = isqrt(sizes[f"body.{last}.weight"][0] // 3) if last % 2 == 0 and f"body.{last}.weight" in sizes else 0
    if last < 2 or not scale or sizes[f"body.{last}.weight"][0] != 3 * scale * scale or dict(sizes) != expected:
        return None
    return UpscalerLayout("compact", scale, {"width": width, "convolutions": last // 2 - 1, "scale": scale}, plain)


def _count(names: Iterable[str], pattern: str) -> int:
    """One more than the largest number, or that number where counting begins at 1; 0 where there is none."""
    numbers = {int(match[1]) for name in names if (match := re.fullmatch(pattern, name))}
    return len(numbers) and max(numbers) + (0 if min(numbers) else 1)
