"""How letters look: the same words as text and as HTML, from the templates in ``letters``."""

import functools
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_FOLDER = Path(__file__).with_name("letters")
_SANS = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_SERIF = "font-family:Georgia,'Times New Roman',serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Somewhere to go. ``words``: what stands on the button or before the address."""

    address: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture within the letter, in pixels of the page; ``address``: where it leads, if anywhere."""

    name: str  #: content id
    label: str
    alt: str
    width: int
    height: int
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Why something is missing. ``lead``: how much of it."""

    lead: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPage:
    """A letter of words. ``lines``: paragraphs; ``why``: why its reader gets it, and ``sort`` what they may end."""

    house: str
    title: str
    preview: str  #: what a list of mails shows of it
    lines: tuple[str, ...] = ()
    studio: Way | None = None
    why: str
    sort: str
    unsubscribe: str | None = None
    account: str | None = None  #: address of the screen where one chooses what one gets

    def text(self) -> str:
        return _render("word.txt", self)

    def html(self) -> str:
        return _render("word.html", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPage(WordPage):
    """A letter with pictures. ``hidden``: how many more there are than it shows, ``columns`` side by side."""

    prompt: str
    pictures: tuple[Shown, ...] = ()
    columns: int = 1
    hidden: int = 0
    view: Way | None = None
    zip: Way | None = None
    troubles: tuple[Note, ...] = ()
    remedy: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        return _render("result.txt", self)

    def html(self) -> str:
        return _render("result.html", self)


def _render(name: str, page: WordPage) -> str:
    return _environment().get_template(name).render(asdict(page))


def _wrapped(text: str, width: int) -> str:
    """Addresses stay whole."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
    )
    environment.globals |= {"sans": _SANS, "serif": _SERIF}
    environment.filters["wrapped"] = _wrapped
    return environment
