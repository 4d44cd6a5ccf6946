"""The names of samplers and schedules as this dialect lists and reads them, joined labels of old clients included."""

from typing import Any

from stablehand.domain.samplers import SAMPLERS, SCHEDULES, Named, SamplerName, find_sampler, find_schedule

#: where nothing else is to be had
FALLBACK = "DPM++ 2M"
#: words that stand for "as the first pass has it", or for nothing
_NOTHING = frozenset({"", "none", "use same sampler", "use same scheduler", "use same checkpoint"})

#: upstream's own names of schedules, where they are not simply the label in small letters
_NAMES = {"SGM Uniform": "sgm_uniform", "KL Optimal": "kl_optimal", "Align Your Steps": "align_your_steps"}
_ALIASES = {"SGM Uniform": ["SGMUniform"]}
_RHO = {"Karras": 7.0, "Polyexponential": 1.0}
_NEEDS_MODEL = frozenset({"Uniform", "SGM Uniform", "Simple", "Normal", "DDIM", "Beta"})
_UPSTREAM_ALIASES = {
    "DPM++ 2M": ["k_dpmpp_2m"],
    "DPM++ SDE": ["k_dpmpp_sde"],
    "DPM++ 2M SDE": ["k_dpmpp_2m_sde"],
    "DPM++ 2M SDE Heun": ["k_dpmpp_2m_sde_heun"],
    "DPM++ 2S a": ["k_dpmpp_2s_a"],
    "DPM++ 3M SDE": ["k_dpmpp_3m_sde"],
    "Euler a": ["k_euler_a", "k_euler_ancestral"],
    "Euler": ["k_euler"],
    "LMS": ["k_lms"],
    "Heun": ["k_heun"],
    "DPM2": ["k_dpm_2"],
    "DPM2 a": ["k_dpm_2_a"],
    "DPM fast": ["k_dpm_fast"],
    "DPM adaptive": ["k_dpm_ad"],
    "Restart": ["restart"],
    "DDIM": ["ddim"],
    "DDIM CFG++": ["ddim_cfgpp"],
    "PLMS": ["plms"],
    "UniPC": ["unipc"],
    "LCM": ["k_lcm"],
}
#: that restart their noise from another seed where one asks for it
_USES_ENSD = frozenset({"DPM++ 2S a", "Euler a", "DPM2 a", "DPM fast", "DPM adaptive"})


def meant(text: str | None) -> str | None:
    """None for what says nothing."""
    return None if text is None or text.strip().casefold() in _NOTHING else text.strip()


def resolve_sampler(name: str | None, scheduler: str | None) -> tuple[str, str]:
    """(sampler, schedule) for what a client wrote.

    Clients of before 1.9 join both ("DPM++ 2M Karras"); a schedule of its own counts for more. An unknown sampler
    becomes the first of the list, an unknown schedule Automatic, and so does the sampler's own favourite.
    """
    text = (name or "").strip()
    schedule = None
    if find_sampler(text) is None:
        text, schedule = _split(text)
    sampler = find_sampler(text) or FALLBACK
    asked = meant(scheduler)
    if asked is not None:
        schedule = find_schedule(asked)
    favourite = next(entry.schedule for entry in SAMPLERS if entry.name == sampler)
    return sampler, "Automatic" if schedule in (None, favourite) else str(schedule)


def _split(text: str) -> tuple[str, str | None]:
    """A joined label in its two parts; the longest schedule counts, as one may end like another."""
    ends = {label: entry.name for entry in SCHEDULES for label in (entry.name, schedule_name(entry), *entry.aliases)}
    for label in sorted(ends, key=len, reverse=True):
        if text.casefold().endswith(f" {label.casefold()}"):
            return text[: -len(label)].strip(), ends[label]
    return text, None


def schedule_name(entry: Named) -> str:
    return _NAMES.get(entry.name, entry.name.lower())


def list_samplers() -> list[dict[str, Any]]:
    return [
        {"name": entry.name, "aliases": _UPSTREAM_ALIASES.get(entry.name, list(entry.aliases)), "options": _says(entry)}
        for entry in SAMPLERS
    ]


def _says(entry: SamplerName) -> dict[str, str]:
    """What the list tells of a sampler: texts, all of it."""
    says: dict[str, str] = {}
    if entry.schedule is not None:
        says["scheduler"] = entry.schedule.lower()
    if entry.discards_next_to_last:
        says["discard_next_to_last_sigma"] = "True"
    if entry.name in _USES_ENSD:
        says["uses_ensd"] = "True"
    if entry.is_second_order:
        says["second_order"] = "True"
    if entry.is_brownian:
        says["brownian_noise"] = "True"
    if entry.name.endswith("Heun") and entry.is_brownian:
        says["solver_type"] = "heun"
    return says


def list_schedulers() -> list[dict[str, Any]]:
    return [
        {
            "name": schedule_name(entry),
            "label": entry.name,
            "aliases": _ALIASES.get(entry.name),
            "default_rho": _RHO.get(entry.name, -1.0),
            "need_inner_model": entry.name in _NEEDS_MODEL,
        }
        for entry in SCHEDULES
    ]
