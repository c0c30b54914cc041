"""Documents that users write (settings, policies, mappings and scenarios), read safely."""

from pathlib import Path

from workflow.errors import UsageError

LARGEST_BYTES = 1_000_000


def read_document(path: Path) -> str:
    """Return the text of a document.

    Raises:
        UsageError: it is missing, is not a file, is too large, or is not UTF-8; the message names it.

    """
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a file")
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise UsageError(f"{path} is larger than {LARGEST_BYTES:,} bytes: settings, policies and mappings are smaller")
        return content.decode("utf-8-sig")
    except (OSError, UnicodeError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error}") from None
