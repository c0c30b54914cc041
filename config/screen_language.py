"""The language of the screens, found out before anything else: errors about the settings are told in it too."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.documents import DEFAULT_FILE
from language import LANGUAGES


def language_of(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the language that the environment or the settings file names; English where they name none that is known.

    `words` are the arguments of the command: `--config` among them names the file. What is wrong with it, `load_settings`
    says later.
    """
    named = environment.get("AFTERSALES_LANGUAGE") or _of_file(_settings_file(words, environment))
    return named if named in LANGUAGES else "en"


def _settings_file(words: Sequence[str], environment: Mapping[str, str]) -> Path:
    for number, word in enumerate(words):
        if word == "--config" and number + 1 < len(words):
            return Path(words[number + 1])
        if word.startswith("--config="):
            return Path(word.partition("=")[2])
    return Path(environment.get("AFTERSALES_CONFIG", DEFAULT_FILE))


def _of_file(path: Path) -> str:
    try:
        return str(tomllib.loads(path.read_text("utf-8-sig")).get("language", ""))
    except (OSError, ValueError):
        return ""
