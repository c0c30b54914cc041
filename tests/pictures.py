"""Photos and videos made to measure."""

import io
import struct
from pathlib import Path

from PIL import Image

PLACE = b"+31.2304+121.4737/"
"""A location as a phone writes it beside its pictures."""


def photo(
    path: Path, form: str = "JPEG", size: tuple[int, int] = (64, 48), *, with_location: bool = False, color: str = "teal"
) -> Path:
    image = Image.new("RGB", size, color)
    exif = image.getexif()
    if with_location:
        exif[0x010E] = PLACE.decode()
        exif[0x0112] = 6
    image.save(path, form, exif=exif)
    return path


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + kind + inside


def video_bytes(
    brand: bytes = b"isom", *, size: tuple[int, int] = (640, 480), handler: bytes = b"vide", chunk: int | None = None
) -> bytes:
    """Return a container as a phone writes it: pictures, the place in `udta`, and the content."""
    head = box(b"ftyp", brand, b"\0\0\2\0", brand, b"mp42" if brand != b"qt  " else b"qt  ")
    tkhd = box(b"tkhd", bytes(76), struct.pack(">II", size[0] << 16, size[1] << 16))
    hdlr = box(b"hdlr", bytes(8), handler, bytes(13))
    where = len(head) + 8 if chunk is None else chunk
    stbl = box(b"stbl", box(b"stco", bytes(4), struct.pack(">II", 1, where)))
    trak = box(b"trak", tkhd, box(b"mdia", hdlr, box(b"minf", stbl)))
    udta = box(b"udta", box(b"\xa9xyz", struct.pack(">HH", len(PLACE), 0x15C7), PLACE))
    return head + box(b"mdat", b"pictures" * 64) + box(b"moov", box(b"mvhd", bytes(100)), trak, udta)


def video(path: Path, **how) -> Path:
    path.write_bytes(video_bytes(**how))
    return path


def png_that_claims(width: int, height: int) -> bytes:
    """Return a small PNG whose header claims these pixels."""
    small = io.BytesIO()
    Image.new("L", (1, 1)).save(small, "PNG")
    import zlib

    body = struct.pack(">II", width, height) + small.getvalue()[24:29]
    head = struct.pack(">I", 13) + b"IHDR" + body + struct.pack(">I", zlib.crc32(b"IHDR" + body))
    return small.getvalue()[:8] + head + small.getvalue()[33:]
