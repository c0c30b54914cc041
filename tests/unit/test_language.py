"""The language of the screens: every text has a Chinese one, and no text of a screen is left out of the catalog."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import language
from config.screen_language import language_of
from config.settings import load_settings
from drills import texts
from language import counted, tr
from workflow.errors import UsageError

ROOT = Path(__file__).parents[2]
OTHERS = [one for one in language.LANGUAGES if one != "en"]
SAY = {"echo", "secho", "print_wrapped", "confirm", "prompt", "fail", "append", "wrong", "Cell", "Item", "PendingAction"}
"""Functions whose arguments a person reads; and every error."""
SILENT = {"fg", "bold", "err", "style", "command", "kind", "nl", "abort", "right", "whole"}
IN_ENGLISH = re.compile(
    r"^(aftersales: | *aftersales decide |  cd |  --after |info|warning|error|red|yellow|bold|aftersales)$|^ *aftersales "
)
"""What stands outside of the catalogs on purpose: commands, and styles."""
NOT_SCREENS = {"reference.py", "diagram.py", "samples.py", "sample_merchant.py", "log.py"}
"""Documents, samples and logs are English."""


@pytest.fixture
def chinese():
    language.use("zh")
    yield
    language.use("en")


@pytest.mark.parametrize("other", OTHERS)
def test_every_text_has_a_translation_and_none_is_left_over(other):
    catalog, wanted = texts.read(other), texts.collect()
    known = {
        message.id[0] if isinstance(message.id, tuple) else message.id: message.string for message in catalog if message.id
    }
    assert sorted(wanted.keys() - known.keys()) == [], "`python -m drills.texts` adds them to the catalog: translate them there"
    assert sorted(known.keys() - wanted.keys()) == [], "no screen shows them any more: `python -m drills.texts` removes them"
    assert [text for text, said in known.items() if not (all(said) if isinstance(said, tuple) else said)] == []


@pytest.mark.parametrize("other", OTHERS)
def test_a_translation_fills_in_the_same_values_and_keeps_its_margins(other):
    for message in texts.read(other):
        source = message.id[0] if isinstance(message.id, tuple) else message.id
        for said in message.string if isinstance(message.string, tuple) else (message.string,):
            if not source or source.startswith("Choose from"):
                continue
            assert placeholders(said) <= placeholders(source), source
            assert placeholders(source) - placeholders(said) <= {"meta"}, source
            assert len(said) - len(said.lstrip("\n")) == len(source) - len(source.lstrip("\n")), source


def placeholders(text: str) -> set[str]:
    """Return the names of the values of a text, with how they are written where that is more than a form of dates."""
    named = re.findall(r"%\((\w+)\)s", text)
    if named or "{" not in text:
        return set(named)
    fields = ((name, conversion) for _, name, _, conversion in string.Formatter().parse(text) if name is not None)
    return {f"{name}!{conversion}" if conversion else name for name, conversion in fields}


def test_a_text_is_filled_in_and_counted_in_the_language_that_is_chosen(chinese):
    assert tr("there is no file {source}", source="a.csv") == "没有文件 a.csv"
    assert (counted(1, "order"), counted(12, "order")) == ("1 个订单", "12 个订单")
    assert tr("what no catalog has {here}", here=1) == "what no catalog has 1"
    assert tr("") == ""
    language.use("en")
    assert (tr("there is no file {source}", source="a.csv"), counted(2, "history", "histories")) == (
        "there is no file a.csv",
        "2 histories",
    )


def test_nothing_that_a_person_reads_stands_outside_of_the_catalogs():
    screens = sorted((ROOT / "admin").rglob("*.py")) + [ROOT / "engine" / name for name in ("explain.py", "today.py")]
    left = []
    for path in screens:
        if path.name not in NOT_SCREENS:
            left += [f"{path.relative_to(ROOT)}: {text!r}" for text in spoken(ast.parse(path.read_text("utf-8")))]
    assert left == [], "put them into tr(…)"


def spoken(tree: ast.AST) -> Iterator[str]:
    """Yield the sentences and words that are said without tr()."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called(node) in SAY or called(node).endswith("Error")):
            yield from (text for text in words(node) if not IN_ENGLISH.match(text))


def words(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call():
            if called(node) in ("counted", "get"):
                return
            texts = () if called(node) == "tr" else node.args
            for part in (*texts, *(one.value for one in node.keywords if one.arg not in SILENT)):
                yield from words(part)
        case ast.Constant(str(text)):
            if re.search(r"[a-z]{2,}", text):
                yield text
        case ast.Compare() | ast.Dict():
            return
        case ast.Subscript(value=value) | ast.FormattedValue(value=value):
            yield from words(value)
        case _:
            for part in ast.iter_child_nodes(node):
                yield from words(part)


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def test_what_is_said_without_the_catalog_is_found():
    said = 'click.echo(f"Order {name} is gone" if one else tr("It stands"), fg="red")\nraise UsageError("no such file")'
    assert [*spoken(ast.parse(said))] == ["Order ", " is gone", "no such file"]
    assert [*spoken(ast.parse('click.echo(tr("{day}{late}", late=" (overdue)" if late else ""))'))] == [" (overdue)"]


@pytest.mark.parametrize(
    ("words", "environment", "file", "expected"),
    [
        ([], {}, None, "en"),
        ([], {"AFTERSALES_LANGUAGE": "zh"}, None, "zh"),
        ([], {"AFTERSALES_LANGUAGE": "fr"}, None, "en"),
        ([], {}, "language = 'zh'", "zh"),
        ([], {"AFTERSALES_LANGUAGE": "en"}, "language = 'zh'", "en"),
        (["--config", "other.toml"], {}, "language = 'zh'", "en"),
        (["--config=aftersales.toml", "today"], {}, "language = 'zh'", "zh"),
        (["--config", "aftersales.toml", "today"], {}, "language = 'zh'", "zh"),
        (["--config"], {}, "language = 'zh'", "zh"),
        ([], {"AFTERSALES_CONFIG": "other.toml"}, "language = 'zh'", "en"),
        ([], {}, "language = [", "en"),
        ([], {}, "language = 7", "en"),
    ],
)
def test_the_language_is_known_before_the_settings_are_read(tmp_path, monkeypatch, words, environment, file, expected):
    monkeypatch.chdir(tmp_path)
    if file:
        (tmp_path / "aftersales.toml").write_text(file)
    assert language_of(words, environment) == expected


def test_a_language_without_screens_is_refused(tmp_path):
    with pytest.raises(UsageError, match="language"):
        load_settings(None, {"AFTERSALES_LANGUAGE": "fr"})
