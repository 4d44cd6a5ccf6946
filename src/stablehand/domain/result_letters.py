"""Result letters: what is said of an order that has ended, before anybody decides how it looks."""

from collections import Counter
from dataclasses import dataclass

from stablehand.domain.jobs import Job, ShotError, State
from stablehand.domain.letters import one_line

#: of the prompt, in the subject
SUBJECT_PROMPT_CHARACTERS = 60
#: pictures that are shown in a letter; the others are behind its links
SHOWN_AT_MOST = 12
#: files that travel with a letter, however small they are
ENCLOSED_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why some pictures are missing. ``pictures``: how many for this reason."""

    pictures: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an order. ``called_off``: pictures that were cancelled before they were drawn."""

    title: str
    subject: str
    delivered: int
    count: int
    called_off: int
    troubles: tuple[Trouble, ...]
    facts: tuple[tuple[str, str], ...]

    @property
    def is_whole(self) -> bool:
        return self.delivered == self.count


def outcome_of(job: Job) -> Outcome:
    """Of an ended job with all its shots."""
    delivered = job.counts.get(State.SUCCEEDED, 0)
    title = _title(delivered, job.count)
    prompt = one_line(job.recipe.prompt, SUBJECT_PROMPT_CHARACTERS)
    return Outcome(
        title=title,
        subject=f"{title}: {prompt}" if prompt else title,
        delivered=delivered,
        count=job.count,
        called_off=job.counts.get(State.CANCELLED, 0),
        troubles=_troubles(job),
        facts=_facts(job),
    )


def pictures(count: int) -> str:
    """``1 picture``, ``4 pictures``."""
    return f"{count} picture{'' if count == 1 else 's'}"


def _title(delivered: int, count: int) -> str:
    whose = "Your picture" if count == 1 else f"Your {count} pictures"
    if delivered == count:
        return f"{whose} {'is' if count == 1 else 'are'} ready"
    if delivered:
        return f"{delivered} of {count} pictures {'is' if delivered == 1 else 'are'} ready"
    return f"{whose} could not be drawn"


def _troubles(job: Job) -> tuple[Trouble, ...]:
    """Each reason once, the most frequent first."""
    unknown = ShotError("unknown", "The agent did not say why.", "")
    reasons = Counter((shot.error or unknown) for shot in job.shots if shot.state is State.FAILED)
    by_words: dict[tuple[str, str], int] = Counter()
    for error, count in reasons.items():
        by_words[error.message, error.hint] += count
    ranked = sorted(by_words.items(), key=lambda entry: -entry[1])
    return tuple(Trouble(count, message, hint) for (message, hint), count in ranked)


def _facts(job: Job) -> tuple[tuple[str, str], ...]:
    recipe = job.recipe
    width, height = recipe.output_size
    size = ("Size", f"{width} × {height}")
    ordered = ("Ordered", f"{job.created_at:%d %B %Y, %H:%M} UTC".lstrip("0"))
    if recipe.kind == "upscale":
        return (size, ("Upscaled with", recipe.upscaler or "Lanczos"), ordered)
    return (
        ("Checkpoint", recipe.checkpoint),
        size,
        ("Steps", f"{recipe.steps}, {recipe.sampler}"),
        ("Seed", _seeds(job)),
        ordered,
    )


def _seeds(job: Job) -> str:
    seeds = [shot.seed for shot in job.shots] or [recipe_seed(job)]
    if len(seeds) == 1:
        return str(seeds[0])
    if seeds == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    shown = ", ".join(map(str, seeds[:4]))
    return shown if len(seeds) <= 4 else f"{shown} …"


def recipe_seed(job: Job) -> int:
    return job.recipe.counting_seed
