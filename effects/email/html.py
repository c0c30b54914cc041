"""A letter as simple HTML: what its plain text says, with its lists and commands set as such."""

import re
from html import escape
from itertools import groupby

LINE, ITEM, INSIDE, COMMAND, RULE, GAP = range(6)
_FONT = "font-family: -apple-system, 'Segoe UI', Roboto, 'PingFang SC', 'Microsoft YaHei', Arial, sans-serif"
_STYLE = f"{_FONT}; font-size: 15px; line-height: 1.5; color: #222; max-width: 640px; margin: 0 auto; padding: 16px"
_CODE = "font-family: Consolas, Menlo, monospace; font-size: 13px; background: #f3f4f6; padding: 8px 12px; border-radius: 4px"
_ADDRESS = re.compile(r"https?://[^\s<>\"]+")


def as_html(subject: str, body: str, language: str) -> str:
    """Return a page of HTML without images, scripts or anything that is fetched from elsewhere.

    Lines that begin with "- " are a list, and those under them that are set in by two spaces go with them; lines set in by
    four are commands, and a line of dashes alone is a rule. Whatever an order's texts contain is text.
    """
    head = f'<head><meta charset="utf-8"><title>{escape(subject)}</title></head>'
    page = "".join(_blocks(body.splitlines()))
    return f'<!doctype html>\n<html lang="{escape(language)}">{head}\n<body style="{_STYLE}">\n{page}</body></html>\n'


def _blocks(lines: list[str]) -> list[str]:
    found, in_list = [], list[str]()
    for kind, some in groupby(lines, _kind):
        texts = [*some]
        if kind is ITEM:
            in_list += [_inline(one[2:]) for one in texts]
            continue
        if kind is INSIDE and in_list:
            in_list[-1] += "".join(f"<br>{_inline(one.strip())}" for one in texts)
            continue
        found += _list(in_list)
        in_list = []
        if kind in (LINE, INSIDE):
            found.append(f"<p>{'<br>'.join(_inline(one.strip()) for one in texts)}</p>\n")
        elif kind is COMMAND:
            found.append(f'<pre style="{_CODE}; white-space: pre-wrap">{_lines(texts)}</pre>\n')
        elif kind is RULE:
            found.append('<hr style="border: 0; border-top: 1px solid #ddd">\n')
    return [*found, *_list(in_list)]


def _kind(line: str) -> int:
    if not line.strip():
        return GAP
    if set(line.strip()) == {"-"}:
        return RULE
    if line.startswith("    "):
        return COMMAND
    if line.startswith("  "):
        return INSIDE
    return ITEM if line.startswith("- ") else LINE


def _list(items: list[str]) -> list[str]:
    rows = "".join(f"<li>{one}</li>\n" for one in items)
    return [f"<ul>\n{rows}</ul>\n"] if items else []


def _lines(texts: list[str]) -> str:
    return "\n".join(escape(one.strip()) for one in texts)


def _inline(text: str) -> str:
    """Return a line with its addresses of the web as links that say where they lead."""
    parts, end = list[str](), 0
    for one in _ADDRESS.finditer(text):
        address = escape(one[0])
        parts += [escape(text[end : one.start()]), f'<a href="{address}">{address}</a>']
        end = one.end()
    return "".join([*parts, escape(text[end:])])
