"""Documents that users write (settings, policies, mappings and scenarios), read safely."""

from pathlib import Path

from language import tr
from workflow.errors import UsageError

DEFAULT_FILE = "aftersales.toml"
"""The settings file that is taken where none is named."""
LARGEST_BYTES = 1_000_000


def read_document(path: Path) -> str:
    """Return the text of a document.

    Raises:
        UsageError: it is missing, is not a file, is too large, or is not UTF-8; the message names it.

    """
    try:
        if path.exists() and not path.is_file():
            raise UsageError(tr("{path} is not a file", path=path))
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise UsageError(
                tr(
                    "{path} is larger than {largest_bytes:,} bytes: settings, policies and mappings are smaller",
                    path=path,
                    largest_bytes=LARGEST_BYTES,
                )
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(tr("{path!r} cannot be read: {error}", path=str(path), error=error.strerror or error)) from None
    except (UnicodeError, ValueError) as error:
        raise UsageError(tr("{path!r} cannot be read: {error}", path=str(path), error=error)) from None
