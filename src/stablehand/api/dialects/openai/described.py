"""What this dialect says of itself."""

from stablehand.api.dialects.description import Description, FieldNote
from stablehand.domain.calls import RESUME_SECONDS
from stablehand.domain.openai.drafts import (
    EDIT_STRENGTH,
    FAITHFUL_EDIT_STRENGTH,
    MASKED_STRENGTH,
    STEPS,
    VARIATION_STRENGTH,
)
from stablehand.domain.openai.fields import FIELDS, FILES, UNSUPPORTED, Operation
from stablehand.services.links import HOUR_SECONDS

_OWN = "as in the native API"
#: field -> (default, what it does)
_NOTES: dict[str, tuple[str, str]] = {
    "prompt": ("required", "what to draw"),
    "model": ("the default checkpoint", "a checkpoint's name; or one of upstream's own"),
    "n": ("1", "how many pictures, up to what the account's tier allows"),
    "size": ("auto", "`auto` is the checkpoint's native size, in the shape of the picture it starts from"),
    "quality": (
        "auto",
        "steps: "
        + ", ".join(f"{name} {count}" for name, count in STEPS.items() if count)
        + "; a distilled checkpoint keeps to its own",
    ),
    "response_format": ("b64_json", f"`url`: links that work for {HOUR_SECONDS // 60} minutes, without a key"),
    "output_format": ("png", "the file's format"),
    "output_compression": ("storage.quality", "quality of jpeg and webp; png takes 100 only"),
    "background": ("auto", "`transparent` is refused"),
    "stream": ("false", "events instead of one answer"),
    "partial_images": ("0", "at most so many pictures as they form; with `stream` and one picture only"),
    "user": ("", "comes back as `safety_identifier`"),
    "safety_identifier": ("", "comes back"),
    "style": ("", ""),
    "moderation": ("auto", ""),
    "input_fidelity": ("low", f"how much is drawn anew: low {EDIT_STRENGTH:g}, high {FAITHFUL_EDIT_STRENGTH:g}"),
    "denoising_strength": ("", f"{_OWN}; how much is drawn anew, instead of the dialect's own"),
    "image": ("required", "a file: PNG, JPEG or WebP; one"),
    "mask": ("", "a file as large as the image; what is transparent in it is drawn anew"),
}


def _notes(operation: Operation) -> list[FieldNote]:
    names = (*FILES[operation], *(field.name for field in FIELDS[operation]))
    optional = {"prompt": ("", "what to draw; may be left out")} if operation == "variations" else {}
    return [FieldNote(name, *(optional.get(name) or _NOTES.get(name, ("", _OWN)))) for name in names]


DESCRIPTION = Description(
    title="OpenAI Images",
    blueprint="openai",
    about=(
        "Clients of OpenAI's Images API work with the base address `/v1` of this server and an API key as bearer "
        "token. Bodies, answers, events of streams and the shape of errors are upstream's."
    ),
    differences=(
        "Every call is a job like any other: it waits in the queue under the account's best tier unless `tier` says "
        "otherwise, counts against its limits, and its pictures lie in the gallery.",
        "A call waits `api.dialect_wait_seconds`. Then it ends with 504 and names its job, which goes on; the same "
        f"body sent again within {RESUME_SECONDS / 60:g} minutes, as OpenAI's own clients do by themselves, waits for "
        "that job instead of ordering another.",
        "Upstream's own models (`dall-e-2`, `dall-e-3`, `gpt-image-…`) stand for the default checkpoint, since many "
        "clients name no other. Any other name that is not there is 404 `model_not_found`.",
        "Pictures come as `b64_json` unless `url` is asked for; to variations and to clients that name a `dall-e` "
        f"model as `url`. A link works for {HOUR_SECONDS // 60} minutes, or until the picture is put into the trash.",
        "An edit starts from one picture. With a mask, what is transparent is drawn anew with a strength of "
        f"{MASKED_STRENGTH:g}; a variation with {VARIATION_STRENGTH:g}. A picture of another shape than the size asked "
        "for is cropped.",
        "Fields of the native API may stand beside those of the dialect (`extra_body` of OpenAI's own client): their "
        "rows below say so.",
        "Partial pictures are previews, enlarged to the size of the picture: they show its colours and masses. A "
        "picture that is done quickly has fewer of them than were asked for, or none.",
        "With `stream` and several pictures there is one `completed` event for each.",
        "Tokens are not counted: `usage` is there, and 0 throughout.",
        f"Refused as `unsupported_parameter`: {', '.join(f'`{name}`' for name in UNSUPPORTED)}. A field that nobody "
        "knows is refused as `unknown_parameter`, as upstream does.",
        "Values beyond the limits of this server or of the account are 400 and name the field. 429 says "
        "`rate_limit_exceeded` for calls and queue, and `insufficient_quota` for a spent quota, with `Retry-After` "
        "where waiting helps. `x-should-retry: false` stands where sending it again does not.",
        "Models cannot be deleted here.",
    ),
    bodies={
        "POST /v1/images/generations": _notes("generations"),
        "POST /v1/images/edits": _notes("edits"),
        "POST /v1/images/variations": _notes("variations"),
    },
)
