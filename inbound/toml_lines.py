"""On which line of a TOML text a name stands: its parser does not say."""

import re
from collections import defaultdict
from collections.abc import Iterable

_HEADER = re.compile(r"\s*\[\[?\s*(?P<name>[^\[\]]+?)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"""\s*(?P<name>[\w.-]+|"[^"]*"|'[^']*')\s*=""")


def line_of(text: str, location: str) -> int | None:
    """Return the line on which a path of keys stands, or the nearest table around it; None: it is not there, or repeatedly."""
    lines = defaultdict[str, list[int]](list)
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            table = header["name"].replace('"', "").replace("'", "")
            lines[table].append(number)
        elif key := _KEY.match(line):
            lines[".".join(filter(None, (table, key["name"].strip("\"'"))))].append(number)
    around = [path for path in lines if location == path or location.startswith(f"{path}.")]
    found = lines[max(around, key=len)] if around else []
    return found[0] if len(found) == 1 else None


def toml_line(key: str, value: str, reason: str) -> str:
    """Return a line that gives a key a text, with the reason beside it."""
    return f"{key} = {toml_text(value)}  # {as_comment(reason)}"


def as_comment(text: str) -> str:
    """Return a text of the file as it can stand in a comment: on one line, without what does not print."""
    return "".join(one if one.isprintable() else " " for one in " ".join(text.split()))


def toml_list(formats: Iterable[str]) -> str:
    """Return one text, or a list of several, as TOML writes them."""
    listed = [*formats]
    return toml_text(listed[0]) if len(listed) == 1 else f"[{', '.join(map(toml_text, listed))}]"


def toml_text(value: str) -> str:
    """Return a text as TOML writes it."""
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(one: str) -> str:
    if one in '"\\':
        return f"\\{one}"
    return f"\\u{ord(one):04x}" if ord(one) < 32 or ord(one) == 127 else one
