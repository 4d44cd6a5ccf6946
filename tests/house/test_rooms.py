"""Laws of the rooms that import contracts cannot say: what a fresh interpreter loads, names, and sizes of files."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANNED_NAMES = {"utils", "common", "base", "helpers", "manager", "misc"}
MOST_LINES = 400


def loaded_after(statement: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after a statement."""
    script = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(asked.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import stablehand.api, stablehand.api.server",
        "import stablehand.wiring.serving, stablehand.wiring.runtimes",
        "import stablehand.services.submit, stablehand.services.catalogue, stablehand.services.deliver",
        "import stablehand.agent.loop, stablehand.agent.child",
        "import stablehand.settings",
    ],
)
def test_the_server_and_the_agent_start_without_torch(statement: str) -> None:
    assert not loaded_after(statement) & {"torch", "diffusers", "transformers", "accelerate"}


def test_help_is_quick_because_it_loads_little() -> None:
    heavy = {"torch", "flask", "sqlalchemy", "pydantic", "gunicorn", "PIL", "httpx", "structlog", "obstore"}
    assert not loaded_after("import stablehand.cli") & heavy


def test_agents_need_no_server_libraries() -> None:
    assert not loaded_after("import stablehand.agent.loop, stablehand.wiring.runtimes") & {
        "flask",
        "sqlalchemy",
        "gunicorn",
        "obstore",
    }


def source_files() -> list[Path]:
    return sorted(path for folder in ("src", "tests", "training", "scripts") for path in (ROOT / folder).rglob("*.py"))


def test_no_file_has_an_empty_name() -> None:
    assert [path for path in source_files() if path.stem in BANNED_NAMES] == []


def test_no_file_outgrows_its_noun() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in source_files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}
