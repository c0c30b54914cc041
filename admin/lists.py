"""What the commands that list something share: the options that filter and page it, and how a page is printed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

import click

from admin.options import JSON, Choice, Instant, InstantOrDuration
from admin.output import fields_of, print_json, print_wrapped
from admin.tables import print_rows
from engine.views import Filter, Page
from language import counted, tr
from workflow.reports import STATE_NAMES

Row = TypeVar("Row")
Command = Callable[..., Any]
_FILTERS = (
    click.option("--shop", "shops", multiple=True, help="Only where the order is of this shop (repeatable)"),
    click.option("--supplier", "suppliers", multiple=True, help="Only where this is the order's current supplier (repeatable)"),
    click.option(
        "--state",
        "states",
        type=Choice(STATE_NAMES),
        multiple=True,
        help="Only where the order is in this state (repeatable)",
    ),
    click.option(
        "--due-before", type=InstantOrDuration(), help="Only where a deadline is before this instant, or within 2d, 36h, …"
    ),
)
_PAGING = (
    click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Rows on a page"),
    click.option("--after", metavar="CURSOR", help="Go on behind a page: what its end or `next` of its --json says"),
    JSON,
)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list is wanted, and whether as JSON."""

    limit: int
    after: str | None
    as_json: bool


def list_options(since: str) -> Callable[[Command], Command]:
    """Give a command the options of a list; it gets a filter `wanted`, and `paging`.

    `since` says for the help what --since is compared with.
    """
    since_option = click.option("--since", type=Instant(), help=f"Only where {since} at or after this instant")
    options = (*_FILTERS, since_option, *_PAGING)

    def decorate(command: Command) -> Command:
        @wraps(command)
        def gathered(
            *args: Any,
            shops: tuple[str, ...],
            suppliers: tuple[str, ...],
            states: tuple[str, ...],
            since: datetime | None,
            due_before: datetime | None,
            limit: int,
            after: str | None,
            as_json: bool,
            **others: Any,
        ) -> Any:
            wanted = Filter(shops=shops, suppliers=suppliers, states=states, since=since, due_before=due_before)
            return command(*args, wanted=wanted, paging=Paging(limit, after, as_json), **others)

        decorated: Command = gathered
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def print_page(
    name: str, page: Page[Row], paging: Paging, columns: Sequence[str], cells: Callable[[Row], Sequence[Any]], empty: str
) -> None:
    """Print a page of the list `name`, and how it goes on."""
    if paging.as_json:
        print_json({name: [fields_of(one) for one in page.rows], "next": page.next})
        return
    print_rows(tr(name.capitalize()), columns, [cells(one) for one in page.rows], empty)
    if page.next:
        shown = counted(paging.limit, "row")
        print_wrapped(tr("{shown} shown: --limit {limit} shows more, the next page is:", shown=shown, limit=paging.limit * 10))
        click.echo(f"  --after {page.next}")  # in one piece, so that it can be copied
