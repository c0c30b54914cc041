"""What tells that the files have changed which the settings in force come from."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from admin.app import App
from workflow.errors import AftersalesError


def digest_of(app: App) -> str:
    """Return a digest of the files that the settings in force come from; one that cannot be read counts as empty."""
    told = hashlib.sha256()
    for name, content in _files(app):
        told.update(f"{name}\0{len(content)}\0".encode())
        told.update(content)
    return told.hexdigest()


def _files(app: App) -> Iterator[tuple[str, bytes]]:
    yield "settings", _content(app.config)
    try:
        yield "policy", app.settings.policy_text().encode()
    except AftersalesError:
        yield "policy", b""
    if (own := app.settings.templates) is not None:
        for path in sorted(own.glob("*/*.txt")):
            yield str(path.relative_to(own)), _content(path)
    for rule in app.settings.inbox.files:
        if rule.mapping is not None:
            yield rule.mapping, _content(Path(rule.mapping))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
