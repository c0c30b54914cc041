"""Videos: MP4 and MOV, their containers checked box by box; nothing is decoded."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import BinaryIO

from evidence.media import BadEvidence, Seen
from language import tr

QUICKTIME = b"qt  "
MP4 = {
    b"isom",
    b"iso2",
    b"iso3",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"avc1",
    b"M4V ",
    b"MSNV",
    b"dash",
    b"3gp4",
    b"3gp5",
}
INSIDE = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf"}
"""Boxes that hold boxes."""
KEPT = INSIDE | {
    *(b"ftyp", b"styp", b"sidx", b"mfra", b"tfra", b"mfro", b"mdat", b"mvhd", b"trex", b"mehd", b"iods"),
    *(b"tkhd", b"tref", b"elst", b"mdhd", b"hdlr", b"elng", b"vmhd", b"smhd", b"nmhd", b"gmhd", b"dref"),
    *(b"stsd", b"stts", b"stss", b"ctts", b"cslg", b"stsc", b"stsz", b"stz2", b"stco", b"co64", b"sgpd", b"sbgp", b"sdtp"),
    *(b"mfhd", b"tfhd", b"tfdt", b"trun"),
}
"""Boxes that playing needs; in all others cameras write what they like, the place among it."""
MOST_BOXES, MOST_TRACKS, DEEPEST = 10_000, 64, 12
MOST_SAMPLES = 1_000_000
TABLES = (b"stco", b"co64", b"stsz", b"stsc")
MOST_TABLE_BYTES = 8 << 20
"""Of tracks that are neither pictures nor sound: a place and a length for each second of many days."""
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Box:
    """One box of a container: its kind, where it begins and ends, and where its content begins."""

    kind: bytes
    start: int
    content: int
    end: int
    above: tuple[bytes, ...] = ()


def examine(path: Path, shown: Path, max_pixels: int) -> Seen:
    """Check a video's container, and write a copy to `shown` in which what cameras note beside the pictures is blanked.

    Raises:
        BadEvidence: it is damaged or cut off, holds no pictures, or has more than `max_pixels`.

    """
    size = path.stat().st_size
    with path.open("rb") as file:
        boxes = [*_boxes(file, 0, size, ())]
        brand = _brand(file, boxes)
        tracks = [box for box in boxes if box.kind == b"trak"]
        if len(tracks) > MOST_TRACKS:
            raise BadEvidence(tr("it has {count} tracks, which no camera records", count=len(tracks)))
        pictures = [track for track in tracks if _handler(file, boxes, track) == b"vide"]
        _check_parts(boxes, pictures)
        _check_chunks(file, boxes, size)
        width, height = _dimensions(file, boxes, pictures[0])
        others = [track for track in tracks if _handler(file, boxes, track) not in (b"vide", b"soun")]
        _check_tables(boxes, others)
        samples = _merged(span for track in others for span in _samples(file, boxes, track, size))
    if width * height > max_pixels:
        raise BadEvidence(
            tr(
                "its pictures have {width} × {height} pixels, and at most {max_pixels} million are taken",
                width=width,
                height=height,
                max_pixels=max_pixels // 1000000,
            )
        )
    copyfile(path, shown)
    _empty(shown, [*others, *(box for box in boxes if box.kind not in KEPT)], samples)
    kind = "video/quicktime" if brand == QUICKTIME else "video/mp4"
    return Seen(kind, width, height, shown, kind)


def _boxes(file: BinaryIO, start: int, end: int, above: tuple[bytes, ...]) -> Iterator[Box]:
    """Yield the boxes between two places, each before those inside it."""
    count, at = 0, start
    while at < end:
        count += 1
        if count > MOST_BOXES or len(above) > DEEPEST:
            raise BadEvidence(tr("its container has too many or too deeply nested boxes"))
        box = _box(file, at, end, above)
        yield box
        if box.kind in INSIDE:
            for inner in _boxes(file, box.content, box.end, (*above, box.kind)):
                count += 1
                yield inner
        at = box.end


def _box(file: BinaryIO, at: int, end: int, above: tuple[bytes, ...]) -> Box:
    file.seek(at)
    head = file.read(16)
    if len(head) < 8 or at + 8 > end:
        raise BadEvidence(tr("its container ends in the middle of a box: the file is cut off"))
    length, kind, content = int.from_bytes(head[:4], "big"), head[4:8], at + 8
    if length == 1 and len(head) == 16:
        length, content = int.from_bytes(head[8:16], "big"), at + 16
    elif length == 0 and not above:
        length = end - at
    if length < content - at:
        raise BadEvidence(tr("a box of its container ({kind}) has an impossible length", kind=_shown(kind)))
    if at + length > end:
        raise BadEvidence(tr("a box of its container ({kind}) goes beyond its end: the file is cut off", kind=_shown(kind)))
    return Box(kind, at, content, at + length, above)


def _brand(file: BinaryIO, boxes: list[Box]) -> bytes:
    first = boxes[0] if boxes else None
    if first is None or first.kind != b"ftyp":
        return QUICKTIME  # old cameras write no brand
    file.seek(first.content)
    brands = file.read(min(first.end - first.content, 256))
    known = [brands[at : at + 4] for at in range(0, len(brands) - 3, 4) if at != 4]
    if known and known[0] == QUICKTIME:
        return QUICKTIME
    if not any(brand in MP4 for brand in known):
        raise BadEvidence(tr("its container is of another kind ({known})", known=_shown(known[0] if known else b"")))
    return b"mp42"


def _check_parts(boxes: list[Box], pictures: list[Box]) -> None:
    kinds = {box.kind for box in boxes if not box.above}
    if b"moov" not in kinds:
        raise BadEvidence(tr("it has no table of contents (moov): the recording was not finished, or the file is cut off"))
    if not pictures:
        raise BadEvidence(tr("it has no pictures, only sound or nothing"))
    if not any(box.kind == b"mdat" and box.end > box.content for box in boxes):
        raise BadEvidence(tr("it has no content (mdat)"))


def _inside(boxes: list[Box], outer: Box, kind: bytes) -> Iterator[Box]:
    return (box for box in boxes if box.kind == kind and outer.start <= box.start and box.end <= outer.end)


def _handler(file: BinaryIO, boxes: list[Box], track: Box) -> bytes:
    for box in _inside(boxes, track, b"hdlr"):
        if box.above[-1:] == (b"mdia",):
            file.seek(box.content + 8)
            return file.read(4)
    return b""


def _dimensions(file: BinaryIO, boxes: list[Box], track: Box) -> tuple[int, int]:
    for box in _inside(boxes, track, b"tkhd"):
        if box.end - box.content >= 84:
            file.seek(box.end - 8)
            width, height = struct.unpack(">II", file.read(8))
            return width >> 16, height >> 16
    raise BadEvidence(tr("its picture track has no header"))


def _check_chunks(file: BinaryIO, boxes: list[Box], size: int) -> None:
    """Check that every place the table of contents points at lies in the file."""
    for box in boxes:
        if box.kind in (b"stco", b"co64"):
            width = 4 if box.kind == b"stco" else 8
            file.seek(box.content + 4)
            count = int.from_bytes(file.read(4), "big")
            if count * width > box.end - box.content - 8:
                raise BadEvidence(tr("its table of contents is shorter than it says"))
            while count > 0:
                some = file.read(min(count * width, BLOCK // width * width))
                if any(int.from_bytes(some[at : at + width], "big") >= size for at in range(0, len(some), width)):
                    raise BadEvidence(tr("its table of contents points beyond its end: the file is cut off"))
                count -= len(some) // width


def _check_tables(boxes: list[Box], tracks: list[Box]) -> None:
    """Refuse tracks beside picture and sound whose tables are larger than any camera's: to follow them takes long."""
    tables = (box for track in tracks for kind in TABLES for box in _inside(boxes, track, kind))
    if sum(box.end - box.content for box in tables) > MOST_TABLE_BYTES:
        raise BadEvidence(tr("it has more tables beside its pictures than any camera writes"))


def _samples(file: BinaryIO, boxes: list[Box], track: Box, size: int) -> Iterator[tuple[int, int]]:
    """Yield where the content of a track lies in the file: each chunk's place and length, as its tables have them."""
    tables = {box.kind: box for box in boxes if track.start <= box.start and box.end <= track.end}
    places = _numbers(file, tables.get(b"stco"), 4) or _numbers(file, tables.get(b"co64"), 8)
    lengths = _lengths(file, tables.get(b"stsz"), size)
    runs = _numbers(file, tables.get(b"stsc"), 4, each=3)
    if runs[::3] != sorted(runs[::3]):
        raise BadEvidence(tr("its table of contents is out of order"))
    sample = run = 0
    for chunk, place in enumerate(places, 1):
        while run + 3 < len(runs) and runs[run + 3] <= chunk:
            run += 3
        in_chunk = runs[run + 1] if len(runs) > run + 1 and runs[run] <= chunk else 0
        length = sum(lengths[sample : sample + in_chunk])
        sample += in_chunk
        yield place, min(length, size - place)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans of a file without overlaps, so that to blank them is never more work than the file is long."""
    merged: list[tuple[int, int]] = []
    for start, length in sorted(span for span in spans if span[1] > 0):
        if merged and start <= sum(merged[-1]):
            before, long = merged[-1]
            merged[-1] = before, max(long, start + length - before)
        else:
            merged.append((start, length))
    return merged


def _numbers(file: BinaryIO, box: Box | None, width: int, each: int = 1) -> list[int]:
    """Return the numbers of a table: after its head, how many entries, and then the entries."""
    if box is None:
        return []
    file.seek(box.content + 4)
    count = min(int.from_bytes(file.read(4), "big"), MOST_SAMPLES) * each
    data = file.read(min(count * width, box.end - box.content - 8))
    return [int.from_bytes(data[at : at + width], "big") for at in range(0, len(data) - width + 1, width)]


def _lengths(file: BinaryIO, box: Box | None, size: int) -> list[int]:
    """Return how long each sample of a track is; of a table that errs no more than the whole file."""
    if box is None:
        return []
    file.seek(box.content + 4)
    uniform, count = struct.unpack(">II", file.read(8).ljust(8, b"\0"))
    if uniform:
        return [min(uniform, size)] * min(count, MOST_SAMPLES)
    data = file.read(min(count, MOST_SAMPLES) * 4)
    return [min(int.from_bytes(data[at : at + 4], "big"), size) for at in range(0, len(data) - 3, 4)]


def _empty(path: Path, boxes: list[Box], spans: list[tuple[int, int]]) -> None:
    """Turn boxes into empty space of the same length, so that everything else stays where it is; blank spans of content."""
    with path.open("r+b") as file:
        for box in boxes:
            file.seek(box.start + 4)
            file.write(b"free")
            _blank(file, box.content, box.end - box.content)
        for start, length in spans:
            _blank(file, start, length)


def _blank(file: BinaryIO, start: int, length: int) -> None:
    file.seek(start)
    while length > 0:
        file.write(bytes(min(length, BLOCK)))
        length -= BLOCK


def _shown(kind: bytes) -> str:
    return kind.decode("ascii", "replace").strip() or "?"
