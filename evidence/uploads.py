"""Uploads: each file is copied once, checked by size and content, and kept only if it passes."""

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence import photos, videos
from evidence.media import BadEvidence, Seen
from language import tr
from workflow.policy.policy import Evidence

LONGEST_NAME = 100
BLOCK = 1 << 20
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Upload:
    """A file offered as evidence: what it is, and private copies of the original and of the redacted version (rule 8.8)."""

    sha256: str
    name: str
    bytes: int
    original: Path
    seen: Seen


def gather(paths: Sequence[Path]) -> list[Path]:
    """Return the files that are meant; of a folder those in it, hidden ones and links left out.

    Raises:
        BadEvidence: one is missing, or is neither file nor folder, or a folder is empty.

    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if _counts(one))
            if not inside:
                raise BadEvidence(tr("{path}: the folder holds no files", path=path))
            found += inside
        else:
            found.append(path)
    return found


def _counts(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file() and not path.is_symlink()


def examine(path: Path, limits: Evidence, folder: Path, number: int = 1) -> Upload:
    """Look at one file. Copies of the original and of what is shown are made in `folder`, which belongs to the caller.

    Raises:
        BadEvidence: names the file and what is wrong with it.

    """
    try:
        return _examine(path, limits, folder, number)
    except BadEvidence as error:
        raise BadEvidence(f"{path.name}: {error}") from None
    except OSError as error:
        raise BadEvidence(f"{path.name}: {error.strerror or error}") from None


def _examine(path: Path, limits: Evidence, folder: Path, number: int) -> Upload:
    largest = max(limits.image_megabytes, limits.video_megabytes) * MEGABYTE
    original, shown = folder / f"{number}.original", folder / f"{number}.shown"
    sha256, size = _copy(path, original, largest)
    with original.open("rb") as file:
        head = file.read(16)
    most_pixels = limits.megapixels * MEGABYTE
    if _is_photo(head):
        _check_size(size, limits.image_megabytes, "photo")
        seen = photos.examine(original, shown, most_pixels)
    elif _is_video(head):
        _check_size(size, limits.video_megabytes, "video")
        seen = videos.examine(original, shown, most_pixels)
    else:
        raise BadEvidence(tr("it is not a JPEG, PNG, WebP, MP4 or MOV by its content{head}", head=_what_it_is(head)))
    return Upload(sha256, _plain_name(path), size, original, seen)


def _copy(path: Path, target: Path, largest: int) -> tuple[str, int]:
    """Copy a file and return its digest and size; the copy is what is checked and kept."""
    digest, size = hashlib.sha256(), 0
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise BadEvidence(tr("it is not a file"))
        with target.open("wb") as copy:
            while block := source.read(BLOCK):
                size += len(block)
                if size > largest:
                    raise BadEvidence(tr("it is larger than {largest} MB", largest=largest // MEGABYTE))
                digest.update(block)
                copy.write(block)
    if size == 0:
        raise BadEvidence(tr("it is empty"))
    return digest.hexdigest(), size


def _check_size(size: int, megabytes: int, what: str) -> None:
    if size > megabytes * MEGABYTE:
        raise BadEvidence(
            tr("it is larger than {megabytes} MB, which is the most for a {what}", megabytes=megabytes, what=what)
        )


def _is_photo(head: bytes) -> bool:
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return webp or head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


def _is_video(head: bytes) -> bool:
    return head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"free")


def _what_it_is(head: bytes) -> str:
    known = {
        b"GIF8": "GIF",
        b"%PDF": "PDF",
        b"PK\x03\x04": tr("ZIP or an office document"),
        b"<svg": "SVG",
        b"<?xm": "XML",
        b"<htm": "HTML",
        b"<!DO": "HTML",
        b"BM": "BMP",
        b"II*\x00": "TIFF",
        b"MM\x00*": "TIFF",
        b"\x1aE\xdf\xa3": tr("Matroska or WebM"),
        b"MZ": "a program",
        b"\x7fELF": "a program",
        b"#!": "a script",
    }
    found = next((name for start, name in known.items() if head.startswith(start)), None)
    return tr(" (but {found})", found=found) if found else ""


def _plain_name(path: Path) -> str:
    """Return the file's name without what does not print; it is shown, and never used as a path."""
    printable = "".join(character if character.isprintable() else "�" for character in path.name)
    return printable.encode("utf-8", "replace").decode()[:LONGEST_NAME]
