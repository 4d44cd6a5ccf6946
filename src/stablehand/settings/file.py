"""The configuration file: where it is looked for, and what it may look like."""

import os
from pathlib import Path
from typing import Any

import yaml

from stablehand.domain.errors import BadSettings

FILE_NAME = "stablehand.yaml"
#: root key of the configuration file of the web UI whose place this service takes
FOREIGN_ROOT = "stable-diffusion-webui"


def file_of(config: Path | None, data_dir: Path) -> Path:
    """Where the settings file lies, or would lie: as the command line says, else the environment, else the default."""
    from_environment = os.environ.get("STABLEHAND_CONFIG")
    return config or (Path(from_environment) if from_environment else data_dir / FILE_NAME)


def from_file(config: Path | None, data_dir: Path) -> dict[str, Any]:
    """The YAML file's sections; none when there is no file. Relative paths in it are meant from the file's own folder.

    Raises BadSettings.
    """
    path = file_of(config, data_dir)
    if not path.is_file():
        if config or os.environ.get("STABLEHAND_CONFIG"):
            raise BadSettings(f"The configuration file {path} does not exist.", hint="Check the path after --config.")
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BadSettings(f"{path} is not valid YAML: {error}", hint="Correct the file and start again.") from error
    if content is None:
        return {}
    if isinstance(content, dict) and set(content) == {FOREIGN_ROOT}:
        content = content[FOREIGN_ROOT] or {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise BadSettings(f"{path} must hold sections such as `api:` and `queue:`.", hint="See `stablehand settings`.")
    # An empty section ("mail:") is written as null.
    sections = {key: {} if value is None else value for key, value in content.items()}
    for section, name in (("models", "location"), ("storage", "output_dir"), ("safety", "blocklist_file")):
        values = sections.get(section)
        if isinstance(values, dict) and isinstance(values.get(name), str):
            sections[section] = {**values, name: str(path.parent.absolute() / Path(values[name]).expanduser())}
    return sections
