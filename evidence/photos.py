"""Photos: JPEG, PNG and WebP, decoded whole before they are believed."""

import io
import re
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from evidence.media import SHOWN_SIDE, BadEvidence, Seen
from language import tr

KINDS = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
Image.MAX_IMAGE_PIXELS = None  # we count the pixels ourselves, before anything is decoded


def examine(path: Path, shown: Path, max_pixels: int) -> Seen:
    """Decode a photo, and write what is shown of it to `shown`: upright, smaller, with nothing but its pixels.

    Raises:
        BadEvidence: it is damaged or cut off, or has more than `max_pixels`.

    """
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged metadata, which is not kept
        _check_webp_header(file.read(30), max_pixels)
        file.seek(0)
        try:
            _check_scans(file)
            file.seek(0)
            with Image.open(file, formats=("JPEG", "PNG", "WEBP")) as image:
                _check_pixels(image.width, image.height, max_pixels // _cost(image))
                kind, width, height = KINDS[image.format or ""], image.width, image.height
                image.load()
                _show(image, shown)
        except BadEvidence:
            raise
        except UnidentifiedImageError:
            raise BadEvidence(tr("it begins like a photo and is none")) from None
        except Exception as error:  # decoders raise any exception on hostile input
            raise BadEvidence(tr("it is damaged or cut off ({error})", error=_said(error))) from None
    return Seen(kind, width, height, shown, "image/jpeg")


MOST_SCANS = 100
"""Of a progressive JPEG, which has about ten; each makes the decoder go over the whole picture again."""


def _cost(image: Image.Image) -> int:
    """Return how much dearer the pixels are than those of a plain photo: four colours, or a second picture."""
    return 2 if image.format == "WEBP" or image.mode in ("CMYK", "RGBA", "LA", "PA", "YCCK") else 1


def _check_scans(file: BinaryIO) -> None:
    """Count the scans of a JPEG marker by marker."""
    file.seek(0)
    data = file.read()
    if not data.startswith(b"\xff\xd8"):
        return
    at, scans = 2, 0
    while found := _MARKER.search(data, at):
        kind, at = data[found.start() + 1], found.end()
        if kind == _END:
            return
        if kind not in _ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
        scans += kind == _SCAN
        if scans > MOST_SCANS:
            raise BadEvidence(
                tr("it has more than {most_scans} progressive scans, more than any camera writes", most_scans=MOST_SCANS)
            )


_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SCAN, _END, _ALONE = 0xDA, 0xD9, (0x01, 0xD8)


def _check_pixels(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise BadEvidence(
            tr(
                "it has {width} × {height} pixels, and at most {most} million are decoded",
                width=width,
                height=height,
                most=most // 1000000,
            )
        )


def _check_webp_header(head: bytes, most: int) -> None:
    """Count the pixels of a WebP before its decoder makes room for them: it keeps two pictures, so half as many may be."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < 30:
        return
    if head[12:16] == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
    elif head[12:16] == b"VP8L":
        (bits,) = struct.unpack("<I", head[21:25])
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    _check_pixels(width, height, most // 2)


def _show(image: Image.Image, shown: Path) -> None:
    """Write the pixels alone; of the metadata only the orientation is applied."""
    orientation = _orientation(image)
    if image.mode.startswith("I"):  # 16 bits of grey, which only this way are made smaller
        step = max(1, max(image.size) // SHOWN_SIDE)
        fewer = image.resize((max(1, image.width // step), max(1, image.height // step)), Image.Resampling.NEAREST)
        image = fewer.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    plain = Image.new("RGB", image.size, "white")
    with_alpha = image.convert("RGBA")
    plain.paste(with_alpha, mask=with_alpha.getchannel("A"))
    if orientation in range(2, 9):
        plain.getexif()[_ORIENTATION] = orientation
        ImageOps.exif_transpose(plain, in_place=True)
    written = io.BytesIO()
    plain.save(written, "JPEG", quality=85, exif=b"")
    shown.write_bytes(written.getvalue())


_ORIENTATION = 0x0112


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # notes of a camera may be anything
        return 1


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:80] or type(error).__name__
