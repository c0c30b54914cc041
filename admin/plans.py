"""Names of previews: what one has shown is what is done, or nothing (rule 9.13)."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from admin.app import now
from language import tr
from workflow.case.canonical import ascii_json
from workflow.errors import UsageError

_SHOWN_AT = "aftersales.shown_at"


def plan_of(what: Any, at: datetime) -> str:
    """Return the name of a preview that was shown at an instant: a digest of what it would change.

    The instant stands before it, for what was chosen by how far it lies ahead is chosen by that again.
    """
    digest = hashlib.sha256(ascii_json(what).encode()).hexdigest()
    return f"{int(at.timestamp() * 1_000):x}-{digest[:12]}"


def check_plan(plan: str | None, what: Any) -> None:
    """See that what would be changed now is what a preview has shown, if one is named.

    Raises:
        UsageError: it is not; nothing may be changed.

    """
    if plan is not None and plan != plan_of(what, _instant(plan)):
        raise UsageError(
            tr("the plan {plan} does not fit any more, and nothing was changed: look again with --dry-run", plan=plan)
        )


def shown_at(ctx: click.Context) -> datetime:
    """Return when the preview is shown, or was shown that a command is to carry out; to the millisecond, as plans name it."""
    found = ctx.meta.get(_SHOWN_AT)
    return found if isinstance(found, datetime) else now()


def planned(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option by which a command does what a preview has shown."""
    help_ = tr("Do exactly what --dry-run has shown under this name, or nothing; it does not ask")
    option = click.option("--plan", metavar="PLAN", is_eager=True, callback=_remember, help=help_)
    return option(command)


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    ctx.meta[_SHOWN_AT] = _instant(value or f"{int(now().timestamp() * 1_000):x}")
    return value


def _instant(plan: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(plan.partition("-")[0], 16) / 1_000, UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(tr("{plan!r} is not the name of a plan: --dry-run prints one", plan=plan)) from None
