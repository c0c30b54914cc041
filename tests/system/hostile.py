"""Hostile files and texts, and what must happen to each. `python -m tests.system.hostile` tries them all and prints the table."""

import io
import json
import os
import resource
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner
from PIL import Image
from sqlalchemy import text

from admin.main import cli
from storage.database import Database
from tests.pictures import box, photo, png_that_claims, video_bytes
from workflow.errors import AftersalesError, UsageError

HEAD = "id,placed_at,paid,currency,supplier\n"
GOOD = "1001,2025-03-03T09:00:00Z,25.90,CNY,Yiwu\n"
MAPPING = b'time_zone = "Europe/Berlin"\n[order]\nid = "id"\nplaced_at = "placed_at"\n'

REFUSED, ROW, TAKEN = "refused whole, nothing stored", "rejected, all else stored", "taken, and harmless"
CELL = "the cell left out, its order and all else stored"
KEPT = "kept as an exception for a person, nothing changed"


@dataclass(frozen=True)
class Hostile:
    """An input: the files that it consists of, the words that are typed, and what must come of it.

    `says` must stand in what is printed; `orders` is how many orders and `files` how many evidence files are stored after.
    """

    what: str
    happens: str
    says: str
    files: dict[str, bytes] = field(default_factory=dict)
    words: Sequence[str] = ("import", "x.csv")
    orders: int = 0
    kept: int = 0
    then: Callable[[Path], str] | None = None
    prepare: Callable[[Path], None] | None = None


def csv(what: str, happens: str, says: str, *rows: str, head: str = HEAD, **more) -> Hostile:
    """An orders file with one good row and hostile ones."""
    content = (head + (GOOD if head == HEAD else "") + "".join(rows)).encode("utf-8", "surrogatepass")
    stored = {REFUSED: 0, ROW: 1, CELL: 2, TAKEN: 2}[happens] if head == HEAD else more.pop("orders")
    return Hostile(what, happens, says, {"x.csv": content}, orders=more.pop("orders", stored), **more)


def raw(what: str, happens: str, says: str, content: bytes, name: str = "x.csv", **more) -> Hostile:
    return Hostile(what, happens, says, {name: content}, words=more.pop("words", ("import", name)), **more)


def evidence(what: str, happens: str, says: str, content: bytes, name: str = "x.jpg", **more) -> Hostile:
    kept = {REFUSED: 0, TAKEN: 2}[happens]
    return Hostile(what, happens, says, {name: content}, ("claims", "evidence", "add", "1001", name), 1, kept, **more)


def show(*words: str) -> Callable[[Path], str]:
    """Return what looks at the input's traces afterwards."""
    return lambda folder: run(words)[1]


def run(words: Sequence[str]) -> tuple[int, str]:
    """Run a command as `main` does; anything but our own errors comes through."""
    result = CliRunner().invoke(cli, [*words], env={"COLUMNS": "400"})
    if isinstance(result.exception, AftersalesError):
        return 2 if isinstance(result.exception, UsageError) else 1, str(result.exception)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def picture(form: str = "JPEG", size: tuple[int, int] = (300, 200), **how) -> bytes:
    written = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(written, form, **how)
    return written.getvalue()


def polyglot() -> bytes:
    hidden = io.BytesIO()
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("evil.sh", "rm -rf /")
    return picture() + hidden.getvalue()


def located() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return photo(Path(folder) / "x.jpg", with_location=True).read_bytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def text_bomb() -> bytes:
    """A PNG whose comment unpacks to 200 MB."""
    small = picture("PNG", (8, 8))
    return small[:33] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000))) + small[33:]


def webp_that_claims(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    inside = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + bytes(4) + size + b"VP8 " + struct.pack("<I", 4) + bytes(4)
    return b"RIFF" + struct.pack("<I", len(inside)) + inside


def deep(levels: int) -> bytes:
    inner = b""
    for _ in range(levels):
        inner = box(b"moov", inner)
    return box(b"ftyp", b"isom", bytes(4), b"isom") + inner


def fifo(name: str) -> Callable[[Path], None]:
    return lambda folder: os.mkfifo(folder / name)


def page(folder: Path) -> str:
    run(("claims", "show", "1001", "--images", "page.html"))
    return (folder / "page.html").read_text()


def jsonl(*rows: str) -> bytes:
    good = json.dumps({"id": "1001", "placed_at": "2025-03-03T09:00:00Z"})
    return "\n".join((good, *rows)).encode("utf-8", "surrogatepass")


ORDER = "1002,2025-03-03T09:00:00Z,{},CNY,Yiwu\n"
AT = "1002,{},1,CNY,Yiwu\n"
ID = "{},2025-03-03T09:00:00Z,1,CNY,Yiwu\n"
SUPPLIER = "1002,2025-03-03T09:00:00Z,1,CNY,{}\n"
NAMED = "id,placed_at,buyer_name,merchant_email\n"
LOCAL = ("import", "x.csv", "--mapping", "m.toml")

INPUTS: tuple[Hostile, ...] = (
    # files as a whole
    raw("a byte-order mark", TAKEN, "new  1", ("\ufeff" + HEAD + GOOD).encode(), orders=1),
    raw("GBK bytes without a word", REFUSED, "name its encoding in the mapping", (HEAD + GOOD + SUPPLIER.format("义乌")).encode("gbk")),
    Hostile(
        "GBK bytes, and a mapping that says so",
        TAKEN,
        "new  1",
        {"x.csv": "id,placed_at,name\n1,2025-03-03,义乌\n".encode("gbk"), "m.toml": MAPPING.replace(b"[order]", b'encoding = "gbk"\n[order]')},
        LOCAL,
        orders=1,
    ),
    raw("Latin-1 bytes without a word", REFUSED, "name its encoding in the mapping", (HEAD + GOOD + SUPPLIER.format("Café")).encode("latin-1")),
    raw("UTF-16", REFUSED, "is not utf-8-sig text", (HEAD + GOOD).encode("utf-16")),
    raw("an empty file", REFUSED, "the file is empty", b""),
    raw("a file of NUL bytes", REFUSED, "has no column 'id'", bytes(1_000)),
    raw("a picture for a table", REFUSED, "is not utf-8-sig text", picture()),
    csv("a row with too few cells", ROW, "has 3 cells where the header has 5", "1002,2025-03-03T09:00:00Z,1\n"),
    csv("a row with too many cells", ROW, "has 6 cells where the header has 5", ORDER.format(1).strip() + ",more\n"),
    csv("a quote that is never closed", REFUSED, "row 3 cannot be read", '1002,"2025-03-03T09:00:00Z,1,CNY,Yiwu\n'),
    raw("a column twice", REFUSED, "has the column 'id' twice", b"id,id,placed_at\n1,2,2025-03-03T09:00:00Z\n"),
    csv("a NUL byte in a cell", CELL, "has a control character", SUPPLIER.format("Yi\0wu")),
    csv("a cell of two megabytes", CELL, "at most 1000 are kept", SUPPLIER.format("x" * 2_000_000)),
    csv("a cell of twenty megabytes", REFUSED, "field larger than field limit", SUPPLIER.format("x" * 20_000_000)),
    csv("the same order with another sum", ROW, "contradicts line 2", GOOD.replace("25.90", "26.90")),
    Hostile(
        "the same file twice",
        TAKEN,
        "new  0",
        {"x.csv": (HEAD + GOOD).encode()},
        orders=1,
        then=show("import", "x.csv"),
    ),
    Hostile(
        "the same order in another file, with another sum",
        KEPT,
        "1 report kept for you as exceptions: aftersales exceptions",
        {"x.csv": (HEAD + GOOD).encode(), "y.csv": (HEAD + GOOD.replace("25.90", "1")).encode()},
        orders=1,
        then=show("import", "y.csv"),
    ),
    # money and numbers
    csv("1e400 as money", CELL, "'1e400' is not an amount", ORDER.format("1e400")),
    csv("NaN as money", CELL, "'NaN' is not an amount", ORDER.format("NaN")),
    csv("Infinity as money", CELL, "'Infinity' is not an amount", ORDER.format("Infinity")),
    csv("0.1+0.2 as money", CELL, "'0.1+0.2' is not an amount", ORDER.format("0.1+0.2")),
    csv("what 0.1+0.2 comes to as money", TAKEN, "rounded  1", ORDER.format("0.30000000000000004")),
    csv("less than nothing as money", CELL, "'-5' is not an amount", ORDER.format("-5")),
    csv("a sum with a thousands separator", CELL, "is not an amount", ORDER.format('"1,234.50"')),
    csv("full-width digits as money", CELL, "is not an amount", ORDER.format("１２.５０")),
    csv("a zero-width space in money", CELL, "is not an amount", ORDER.format("12\u200b.50")),
    raw("a number of a million digits", CELL, "characters long", jsonl('{"id":"1002","placed_at":"2025-03-03T09:00:00Z","paid":' + "9" * 1_000_000 + "}"), "x.jsonl", orders=2),
    # times
    csv("the 30th of February", ROW, "'2026-02-30T09:00:00Z' is not a time", AT.format("2026-02-30T09:00:00Z")),
    csv("a time without a zone, and no mapping", ROW, "names no time zone", AT.format("2025-03-03T09:00:00")),
    csv("a leap second", ROW, "'2016-12-31T23:59:60Z' is not a time", AT.format("2016-12-31T23:59:60Z")),
    csv("the year 9999", ROW, "lies outside the years 1990-2199", AT.format("9999-12-31T23:59:59Z")),
    csv("a time in full-width digits", ROW, "digits other than 0-9", AT.format("２０２５-03-03T09:00:00Z")),
    csv("an order of tomorrow", ROW, "ahead of now: import it again later", AT.format("2190-01-01T00:00:00Z")),
    csv("an order of years ago", TAKEN, "new  2", AT.format("2017-03-03T09:00:00Z"), then=show("timers")),
    Hostile(
        "a local time that a clock change repeats",
        TAKEN,
        "2025-10-26T00:30:00Z",
        {"x.csv": b"id,placed_at\n1,2025-10-26T02:30:00\n", "m.toml": MAPPING},
        LOCAL,
        orders=1,
        then=show("export"),
    ),
    Hostile(
        "a local time that a clock change skips",
        TAKEN,
        "2025-03-30T01:30:00Z",
        {"x.csv": b"id,placed_at\n1,2025-03-30T02:30:00\n", "m.toml": MAPPING},
        LOCAL,
        orders=1,
        then=show("export"),
    ),
    # JSON
    raw("JSON nested 100,000 deep", REFUSED, "nested too deeply", b"[" * 100_000, "x.json"),
    raw("a line of JSON nested 100,000 deep", ROW, "is not JSON", jsonl("[" * 100_000), "x.jsonl", orders=1),
    raw("a key twice in one object", ROW, "an object names 'id' twice", jsonl('{"id":"1002","id":"1003","placed_at":"2025-03-03T09:00:00Z"}'), "x.jsonl", orders=1),
    raw("a lone surrogate", ROW, "has a control character", jsonl('{"id":"10\\ud80002","placed_at":"2025-03-03T09:00:00Z"}'), "x.jsonl", orders=1),
    raw("an object where a list belongs", REFUSED, "must hold one JSON array", b'{"id": "1"}', "x.json"),
    raw("a line that is cut off", ROW, "is not JSON", jsonl('{"id":"1002","placed_at'), "x.jsonl", orders=1),
    raw("a list where a word belongs", ROW, "is a list where one value is expected", jsonl('{"id":["1","2"],"placed_at":"2025-03-03T09:00:00Z"}'), "x.jsonl", orders=1),
    # names and numbers of orders
    csv("a zero-width space in an order's number", ROW, "only look like others, or cannot be seen", ID.format("10\u200b02")),
    csv("full-width digits in an order's number", ROW, "only look like others, or cannot be seen", ID.format("１００２")),
    csv("a mark that turns the direction of writing", CELL, "bidirectional control character", SUPPLIER.format("Yi\u202ewu")),
    csv("a right-to-left name", TAKEN, "محمد", "1002,2025-03-03T09:00:00Z,محمد,\n", head=NAMED + "1001,2025-03-03T09:00:00Z,Kim,\n", orders=2, then=show("show", "1002")),
    csv("an order's number of 200 characters", ROW, "at most 100 are an identity", ID.format("9" * 200)),
    csv("an order's number that is SQL", TAKEN, "new  2", ID.format("'; DROP TABLE orders;--")),
    csv("an order's number that is a path", TAKEN, "new  2", ID.format("..\\..\\x")),
    csv("an escape sequence for the terminal", CELL, "has a control character", SUPPLIER.format("\x1b[2Jgone")),
    csv("a line break that would add a mail header", CELL, "is not an email address", "1002,2025-03-03T09:00:00Z,Kim,a@b.cn%0ABcc:x@y.cn\n", head=NAMED + "1001,2025-03-03T09:00:00Z,Kim,\n", orders=2),
    csv("a name that is a template", TAKEN, "{{7*7}}", "1002,2025-03-03T09:00:00Z,{{7*7}},\n", head=NAMED + "1001,2025-03-03T09:00:00Z,Kim,\n", orders=2, then=show("show", "1002")),
    Hostile(
        "a reason that a spreadsheet would run",
        TAKEN,
        "'=cmd|' /C calc'!A0",
        {"x.csv": (HEAD.strip() + ",report_oversized_at,report_oversized_reason\n" + GOOD.strip() + ",2025-03-04T09:00:00Z,=cmd|' /C calc'!A0\n").encode()},
        orders=1,
        then=show("export"),
    ),
    # mappings, policies and settings
    Hostile("a mapping nested 100,000 deep", REFUSED, "nested too deeply", {"x.csv": (HEAD + GOOD).encode(), "m.toml": b"a = " + b"[" * 100_000}, LOCAL),
    Hostile("a mapping with a number of 5,000 digits", REFUSED, "m.toml", {"x.csv": (HEAD + GOOD).encode(), "m.toml": b"a = " + b"9" * 5_000}, LOCAL),
    Hostile("a mapping of two megabytes", REFUSED, "larger than 1,000,000 bytes", {"x.csv": (HEAD + GOOD).encode(), "m.toml": b"#" * 2_000_000}, LOCAL),
    Hostile("a pipe for a mapping", REFUSED, "is not a file", {"x.csv": (HEAD + GOOD).encode()}, LOCAL, prepare=fifo("m.toml")),
    Hostile("a pipe for a table", REFUSED, "is not a file that can be read twice", {}, prepare=fifo("x.csv")),
    Hostile("a policy whose country is a name of Python", REFUSED, "no holiday calendar for country '__class__'", {"p.toml": b'[calendar]\ncountry = "__class__"\n'}, ("policy", "check", "p.toml")),
    Hostile("a policy of durations without end", REFUSED, "is not a duration", {"p.toml": b'[overdue]\nurge_after = "99999999d"\n'}, ("policy", "check", "p.toml")),
    Hostile("settings nested 100,000 deep", REFUSED, "nested too deeply", {"s.toml": b"a = " + b"[" * 100_000}, ("--config", "s.toml", "check")),
    # photos and videos
    evidence("a PNG that claims 60,000 × 60,000 pixels", REFUSED, "60000 × 60000 pixels", png_that_claims(60_000, 60_000)),
    evidence("a WebP that claims 16,383 × 16,383 pixels", REFUSED, "16383 × 16383 pixels", webp_that_claims(16_383, 16_383)),
    evidence("a PNG whose comment unpacks to 200 MB", REFUSED, "damaged or cut off", text_bomb()),
    evidence("a JPEG that is cut off", REFUSED, "damaged or cut off", picture()[:-5_000]),
    evidence("a PNG that is cut off", REFUSED, "damaged or cut off", picture("PNG")[:-5_000]),
    evidence("a WebP that is cut off", REFUSED, "damaged or cut off", picture("WEBP")[:-5_000]),
    evidence("a video of 0 bytes", REFUSED, "it is empty", b"", "x.mp4"),
    evidence("a video that is cut off", REFUSED, "cut off", video_bytes()[:-20], "x.mp4"),
    evidence("a video whose recording was not finished", REFUSED, "was not finished", video_bytes().replace(b"moov", b"free"), "x.mp4"),
    evidence("a video with a box of 2^63 bytes", REFUSED, "goes beyond its end", box(b"ftyp", b"isom", bytes(4)) + struct.pack(">I4sQ", 1, b"moov", 2**63), "x.mp4"),
    evidence("a video whose boxes are nested 1,000 deep", REFUSED, "deeply nested boxes", deep(1_000), "x.mp4"),
    evidence("a video with a million empty boxes", REFUSED, "deeply nested boxes", box(b"ftyp", b"isom", bytes(4)) + box(b"free") * 1_000_000, "x.mp4"),
    evidence("a HEIC photo", REFUSED, "another kind (heic)", box(b"ftyp", b"heic", bytes(4), b"mif1"), "x.heic"),
    evidence("an SVG with a script, named .png", REFUSED, "(but SVG)", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "x.png"),
    evidence("HTML, named .jpg", REFUSED, "(but HTML)", b"<html><script>alert(1)</script>"),
    evidence("a PDF", REFUSED, "(but PDF)", b"%PDF-1.7\n"),
    evidence("a program", REFUSED, "(but a program)", b"\x7fELF" + bytes(100)),
    evidence("a JPEG that is a ZIP as well", TAKEN, "claim 1 has 1 more file", polyglot()),
    evidence("a photo with the place where it was taken", TAKEN, "claim 1 has 1 more file", located()),
    evidence("a photo named like a path", TAKEN, "..\\..\\x.jpg", picture(), "..\\..\\x.jpg"),
    evidence("a photo whose name turns the direction of writing", TAKEN, "gpj.�exe.jpg", picture(), "gpj.\u202eexe.jpg"),
    evidence("a photo whose name is a script", TAKEN, "&lt;script&gt;", picture(), "<script>alert(1)<.jpg".replace("<.jpg", "&.jpg"), then=page),
    evidence("a photo of 21 MB", REFUSED, "larger than 20 MB", picture() + bytes(21_000_000)),
    Hostile("a pipe for a photo", REFUSED, "it is not a file", {}, ("claims", "evidence", "add", "1001", "x.jpg"), 1, prepare=fifo("x.jpg")),
)  # fmt: skip

DISPUTED = (
    HEAD.strip()
    + ",ship_at,deliver_at,open_claim_at,open_claim_kind\n"
    + GOOD.strip()
    + ",2025-03-04T09:00:00Z,2025-03-10T09:00:00Z,2025-03-11T09:00:00Z,damaged\n"
)


@dataclass(frozen=True)
class Came:
    """What came of an input."""

    code: int
    said: str
    orders: int
    kept: int


def try_out(hostile: Hostile, folder: Path) -> Came:
    """Let an input loose in a folder of its own."""
    with chdir(folder):
        if hostile.words[0] == "claims":
            Path("disputed.csv").write_text(DISPUTED)
            assert run(("import", "disputed.csv"))[0] == 0
        for name, content in hostile.files.items():
            Path(name).write_bytes(content)
        if hostile.prepare:
            hostile.prepare(folder)
        code, said = run(hostile.words)
        if hostile.then:
            said += hostile.then(folder)
        kept = sum(path.is_file() for path in Path("evidence").rglob("*")) if Path("evidence").exists() else 0
        return Came(code, said, _orders(), kept)


def _orders() -> int:
    database = Database("sqlite:///aftersales.db")
    try:
        if not database.exists():
            return 0
        with database.read() as connection:
            return connection.execute(text("SELECT count(*) FROM orders")).scalar() or 0
    finally:
        database.close()


def table() -> str:
    """Return the table of all inputs and what happens to each."""
    rows = [f"| {_cell(one.what)} | {one.happens} | `{_cell(one.says)}` |" for one in INPUTS]
    return "\n".join(("| input | what happens to it | what is said or shown |", "|---|---|---|", *rows)) + "\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def main() -> int:
    """Try every input in one process; print the table, and the most memory that was used."""
    wrong = 0
    for hostile in INPUTS:
        with tempfile.TemporaryDirectory() as folder:
            came = try_out(hostile, Path(folder))
        if hostile.says not in came.said or (came.orders, came.kept) != (hostile.orders, hostile.kept):
            wrong += 1
            print(f"WRONG: {hostile.what}: {came}", file=sys.stderr)
    print(table(), end="")
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{len(INPUTS)} inputs, {wrong} wrong, {megabytes} MiB at the most", file=sys.stderr)
    return 1 if wrong or megabytes > 512 else 0


if __name__ == "__main__":
    sys.exit(main())
