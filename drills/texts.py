"""The texts of the screens: `python -m drills.texts` brings the catalogs up to date, and says what has no translation yet."""

import ast
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from admin import lazy
from admin.commands import check, claim_detail, decide, demo, exception_decisions, observe, policy, report, show, timer_changes
from admin.main import cli
from engine import money, summaries
from language import CATALOGS, DOMAIN, LANGUAGES
from workflow.process import CLOCKS, FLAGS, STATE_MEANINGS
from workflow.reports import FIELDS, MEANINGS
from workflow.rules.guards import GUARDS

ROOT = Path(__file__).parents[1]
ROOMS = ("admin", "config", "effects", "engine", "evidence", "inbound", "jobs", "storage", "workflow")
CLICK = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types")
"""The parts of click whose texts a person sees."""
STORED = (
    "that year's working days have been announced",
    "the days on which suppliers are closed have changed",
    "its sender was stopped before the outcome was known",
    "not sent: what it told had changed before its first try, and was written anew",
)
"""Texts that are kept in English and translated when they are shown."""
Texts = dict[str, str | None]
"""Each text, and the one for several where it counts something."""


def collect() -> Texts:
    """Return every text that a screen may show."""
    found: Texts = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            found |= dict(_of_source(ast.parse(path.read_text("utf-8"))))
    found |= dict.fromkeys(_constants())
    found |= dict.fromkeys(_helps(cli))
    for name in CLICK:
        source = inspect.getsource(importlib.import_module(f"click.{name}"))
        found |= dict(_of_click(ast.parse(source)))
    return {text: several for text, several in found.items() if text.strip()}


def _of_source(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("columns", "titles"):
            yield from ((text, None) for text in _strings(node.value))
        if not isinstance(node, ast.Call):
            continue
        match node:
            case ast.Call(func=ast.Name("tr"), args=[text]):
                yield from ((one, None) for one in _strings(text))
            case ast.Call(func=ast.Name("counted"), args=[_, ast.Constant(str(one))]):
                yield f"{{count}} {one}", f"{{count}} {one}s"
            case ast.Call(func=ast.Name("counted"), args=[_, ast.Constant(str(one)), ast.Constant(str(several))]):
                yield f"{{count}} {one}", f"{{count}} {several}"
            case ast.Call(func=ast.Name("counted")):
                raise AssertionError(f"nouns are counted as they stand in the program: {ast.unparse(node)}")
            case ast.Call(func=ast.Name("print_rows"), args=[title, columns, _, empty]):
                yield from ((one, None) for part in (title, columns, empty) for one in _strings(part))
            case ast.Call(func=ast.Name("print_page"), args=[name, _, _, columns, _, empty]):
                yield from ((one.capitalize(), None) for one in _strings(name))
                yield from ((one, None) for part in (columns, empty) for one in _strings(part))


def _strings(node: ast.AST) -> Iterator[str]:
    """Yield the texts that an expression may be: itself, one of two, or each of several."""
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from (*_strings(one), *_strings(other))
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.BoolOp(values=parts):
            for part in parts:
                yield from _strings(part)
        case ast.Starred(value=part):
            yield from _strings(part)


def _constants() -> Iterator[str]:
    yield from (*FLAGS.values(), *STATE_MEANINGS.values(), *MEANINGS.values(), *STORED, money.PLATFORM, *money.CAUSES.values())
    yield from (clock.meaning for clock in CLOCKS)
    yield from (guard.refusal for guard in GUARDS.values())
    yield from (field.help for fields in FIELDS.values() for field in fields.values())
    yield from (*decide.MEANINGS.values(), *exception_decisions.BECAME.values(), *observe.BECOMES.values())
    yield from (*policy.SIDES.values(), *timer_changes.PAST_TENSE.values(), *(what for _, what in demo.NEXT))
    yield from (summaries.LABELS.get(name, name.replace("_", " ")) for name in summaries.COUNTED)
    yield from ("shop", "supplier")
    yield from (*claim_detail.PREVIEWED, *check.LEVELS)
    for part, columns in show.PARTS.items():
        yield from (part.capitalize(), *map(show.title_of, (part, *columns)))
    yield from map(show.title_of, show.FACTS)


def _helps(command: click.Command) -> Iterator[str]:
    """Yield the help of a command, of its options, and of what is below it."""
    yield inspect.cleandoc(command.help or "")
    yield from (one.help or "" for one in command.params if isinstance(one, click.Option))
    if isinstance(command, lazy.LazyGroup):
        yield from command.described.values()
    if isinstance(command, click.Group):
        context = click.Context(command)
        names = report.TRIGGERS if isinstance(command, report.Triggers) else command.list_commands(context)
        for name in names:
            below = command.get_command(context, name)
            assert below is not None, name
            yield from _helps(below)


def _of_click(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("_"), args=[ast.Constant(str(text))]):
                yield text, None
            case ast.Call(func=ast.Name("ngettext"), args=[ast.Constant(str(one)), ast.Constant(str(several)), _]):
                yield one, several


_WRITTEN = datetime(2026, 11, 28, tzinfo=UTC)
"""Catalogs carry no time of writing, so that a new text is all that changes."""
_HEADER: dict[str, Any] = {
    "header_comment": "# The texts of the screens: `python -m drills.texts` adds what is new.",
    "project": "aftersales",
    "version": "1",
    "creation_date": _WRITTEN,
    "revision_date": _WRITTEN,
    "last_translator": "aftersales",
    "language_team": "aftersales",
    "msgid_bugs_address": "none",
}


def catalog_of(language: str) -> Path:
    """Return the file of a language's catalog."""
    return CATALOGS / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: str) -> Catalog:
    """Return a language's catalog as it stands."""
    with catalog_of(language).open("rb") as file:
        return read_po(file, locale=language)


def update(language: str, texts: Texts) -> list[str]:
    """Write a catalog anew: what is new comes without a translation, what is gone goes. Return what has none."""
    known = read(language)
    made = Catalog(locale=language, charset="utf-8", fuzzy=False, **_HEADER)
    for text, several in texts.items():
        was = known.get(text)
        said = was.string if was else ""
        if several is not None:
            made.add((text, several), said if isinstance(said, tuple | list) else (said,))
        else:
            made.add(text, said[0] if isinstance(said, tuple | list) else said)
    with catalog_of(language).open("wb") as file:
        write_po(file, made, width=120, omit_header=False, no_location=True)
    return [text for text in texts if not _has_translation(made, text)]


def _has_translation(catalog: Catalog, text: str) -> bool:
    message = catalog.get(text)
    said: Iterable[str] = () if message is None else message.string if isinstance(message.string, tuple) else (message.string,)
    return message is not None and all(said)


def main() -> int:
    """Bring the catalogs up to date."""
    texts = collect()
    missing = {language: update(language, texts) for language in LANGUAGES if language != "en"}
    for language, some in missing.items():
        print(f"{language}: {len(texts)} texts, {len(some)} without a translation")
        for text in some:
            print(f"  {text!r}")
    return 1 if any(missing.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
