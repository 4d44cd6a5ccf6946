"""Where named weights lie: addresses on Hugging Face's hub, or a mirror that speaks like it."""

import re
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from stablehand.domain.errors import BadSettings
from stablehand.downloads import DownloadFailed

PREFIX = "hf:"
ENDPOINT = "https://huggingface.co"
_NAME = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:/(.+))?")
#: of a pipeline's folder: its configurations and vocabularies
_SMALL = re.compile(
    r"(model_index\.json|(scheduler|tokenizer|tokenizer_2|unet|vae|text_encoder|text_encoder_2)/[^/]+\.(json|txt))"
)
#: says nothing of what is in it
_NAMELESS = re.compile(r"(diffusion_pytorch_)?model(\.fp16)?\.safetensors")
_WEIGHTS = re.compile(r"(unet|vae|text_encoder|text_encoder_2)/[^/]+\.safetensors")


@dataclass(frozen=True, slots=True)
class Remote:
    """What is to be fetched: one file, or the files of a folder. path -> address."""

    name: str  #: what to call it
    files: dict[str, str]  #: one file has the path ""


def is_source(text: str) -> bool:
    """Whether a text names a place in the world, not a checkpoint of the catalogue."""
    return text.startswith((PREFIX, "https://", "http://"))


def resolve(source: str, client: httpx.Client, *, endpoint: str = ENDPOINT, token: str | None = None) -> Remote:
    """The addresses behind ``hf:owner/name[/file]`` or an address itself.

    Raises:
        BadSettings: it is neither. DownloadFailed: the hub does not know it, or it holds no weights that are safe.
    """
    if not source.startswith(PREFIX):
        path = httpx.URL(source).path.rstrip("/")
        return Remote(path.rpartition("/")[2], {"": source})
    match = _NAME.fullmatch(source)
    if match is None:
        raise BadSettings(f"{source} names nothing.", hint="Write hf:owner/name or hf:owner/name/file.safetensors.")
    repository, file = match[1], match[2]
    base = f"{endpoint.rstrip('/')}/{repository}/resolve/main/"
    if file is not None:
        return Remote(_telling_name(repository, file), {"": base + quote(file)})
    names = _names(client, f"{endpoint.rstrip('/')}/api/models/{repository}", token)
    if "model_index.json" in names:
        chosen = [name for name in names if _SMALL.fullmatch(name)] + _lightest(
            [n for n in names if _WEIGHTS.fullmatch(n)]
        )
        return Remote(repository.partition("/")[2], {name: base + quote(name) for name in chosen})
    single = [name for name in names if name.endswith(".safetensors") and "/" not in name]
    if len(single) != 1:
        what = f"several files: {', '.join(single[:8])}" if single else "no safetensors file"
        raise DownloadFailed(f"{source} holds {what}.", hint=f"Name one: {source}/FILE.safetensors.")
    return Remote(_telling_name(repository, single[0]), {"": base + quote(single[0])})


def _telling_name(repository: str, file: str) -> str:
    """The file's own name, or its repository's where diffusers calls every network's weights so."""
    name = file.rpartition("/")[2]
    return f"{repository.partition('/')[2]}.safetensors" if _NAMELESS.fullmatch(name) else name


def _names(client: httpx.Client, address: str, token: str | None) -> list[str]:
    try:
        answer = client.get(address, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer.raise_for_status()
        return [str(entry["rfilename"]) for entry in answer.json()["siblings"]]
    except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
        raise DownloadFailed(f"{address} does not say what it holds: {error}", hint="Check the name.") from error


def _lightest(names: list[str]) -> list[str]:
    """Of each part the half-precision files where there are some: half to fetch, and no picture shows it."""
    chosen: list[str] = []
    for part in sorted({name.partition("/")[0] for name in names}):
        files = [name for name in names if name.startswith(f"{part}/")]
        half = [name for name in files if ".fp16" in name]
        plain = [name for name in files if not re.search(r"\.(fp16|non_ema|ema|bf16)", name)]
        chosen += half or plain
    return chosen
