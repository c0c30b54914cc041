"""On which line of a TOML text a name stands: its parser does not say."""

import re
from collections import defaultdict

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
