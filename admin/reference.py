"""The reference of names and numbers, as Markdown: `python -m admin.reference` prints docs/reference.md."""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from inspect import getsource

from admin.commands.check import CHECKS
from admin.main import EXIT_CODES
from config.settings import DEFAULT_POLICY
from workflow import vocabulary
from workflow.process import EFFECTS
from workflow.reports import FIELDS, MEANINGS
from workflow.vocabulary import (
    ClaimKind,
    ClaimStatus,
    ClaimVerdict,
    EffectStatus,
    LedgerStatus,
    MessageStatus,
    Remedy,
    State,
    TimerStatus,
    Verdict,
)

STATUSES: dict[str, type[StrEnum]] = {
    "order": State,
    "timer": TimerStatus,
    "effect": EffectStatus,
    "message": MessageStatus,
    "report (verdict)": Verdict,
    "claim": ClaimStatus,
    "claim (kind)": ClaimKind,
    "claim (verdict)": ClaimVerdict,
    "claim (remedy)": Remedy,
    "refund, recovery": LedgerStatus,
}


def document() -> str:
    """Return the whole page."""
    return "\n".join(
        (
            "# Reference\n\nNames and numbers that files, scripts and settings use. Printed by `python -m admin.reference`.\n",
            "## Policy\n\nEach line of `config/policy.toml` with its value there.\n",
            *_policy(),
            "## Reports\n\n`aftersales report ORDER TRIGGER`, and `[reports.TRIGGER]` of a mapping.\n",
            *_table(("trigger", "what it says", "fields"), _reports()),
            "## Effects\n",
            *_table(("kind", "to", "moves goods or money", "mode ask", "comes after"), _effects()),
            "## Statuses\n",
            *_table(("of", "status", "meaning"), _statuses()),
            "## Exit codes\n",
            *_table(("code", "meaning"), ((str(code), text) for code, text in EXIT_CODES.items())),
            "## Findings of `aftersales check`\n",
            *_table(("id", "meaning"), ((f"`{key}`", text) for key, text in CHECKS.items())),
        )
    )


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _policy() -> Iterator[str]:
    """Yield a table for each section of the policy file, with its comments."""
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    for section in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        name, _, lines = section.partition("]")
        found = re.findall(r"^(\w+) = (.*?)(?: +# (.*))?$", lines, re.MULTILINE)
        yield f"### `[{name}]`\n"
        yield from _table(("key", "default", "meaning"), ((f"`{key}`", f"`{value}`", why) for key, value, why in found))


def _reports() -> Iterator[tuple[str, ...]]:
    for trigger, known in FIELDS.items():
        fields = (f"`{name}`{' (required)' if field.required else ''}: {field.help}" for name, field in known.items())
        yield f"`{trigger}`", MEANINGS[trigger], "<br>".join(fields)


def _effects() -> Iterator[tuple[str, ...]]:
    for one in EFFECTS:
        after = f"`{one.after.kind}`" if one.after else ""
        yield f"`{one.kind}`", one.party, "yes" if one.moves else "", "possible" if one.may_ask else "", after


def _statuses() -> Iterator[tuple[str, ...]]:
    """Yield the words of each enumeration with what stands below them in the vocabulary."""
    said = {}
    for enumeration in ast.parse(getsource(vocabulary)).body:
        if isinstance(enumeration, ast.ClassDef):
            for word, below in zip(enumeration.body, [*enumeration.body[1:], None], strict=True):
                if isinstance(word, ast.Assign) and isinstance(word.targets[0], ast.Name):
                    has_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
                    said[enumeration.name, word.targets[0].id] = str(below.value.value) if has_text else ""  # type: ignore[union-attr]
    for what, kind in STATUSES.items():
        yield from ((what, f"`{word}`", said[kind.__name__, word.name]) for word in kind)


if __name__ == "__main__":
    print(document(), end="")
