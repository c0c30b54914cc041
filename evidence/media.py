"""What a file is, or why it cannot be evidence."""

from dataclasses import dataclass
from pathlib import Path

from workflow.errors import AftersalesError

SHOWN_SIDE = 1_600
"""The longer side, in pixels, of the copy of a photo that is shown."""


class BadEvidence(AftersalesError):
    """A file cannot be evidence; nothing of it was kept. The message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file is: its media type, its pixels, and the copy that is shown, which carries no location."""

    kind: str
    width: int | None
    height: int | None
    shown: Path
    shown_kind: str
