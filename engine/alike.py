"""Due timers of orders that are alike, fired together: the process is asked once, and its answer written for all of them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import cast

from sqlalchemy import Connection

from engine.apply import modes_of
from storage import cases, outlines
from storage.forms import Form, Staging, form_of
from storage.timers import Due
from storage.writes import Change
from workflow.alike import Tree
from workflow.blanks import Asked, Blank, CannotTell
from workflow.columns import Place
from workflow.outline import AT, ORDER_ID, blanked
from workflow.policy import Rules
from workflow.step import fire

MOST_SHAPES = 1_000
"""So many shapes are remembered; then all are worked out anew."""
Firing = tuple[Form, Place]
"""What a step leaves behind, and the place at which the due instant of its timer stands."""


def fire_alike(
    connection: Connection, due: Sequence[Due], at: datetime, rules: Rules
) -> tuple[list[datetime], list[Due], bool]:
    """Fire the timers of orders that are alike.

    Returns the due instants of those, the timers that are left, in turn, and whether somebody has something to do at once.
    """
    if len(rules.trees) > MOST_SHAPES:
        rules.trees.clear()
    timers = Counter(order_id for order_id, _ in due)
    alone = [timer for timer in due if timers[timer[0]] == 1]
    staging: Staging | None = None
    leaves = False
    fired: dict[int, datetime] = {}
    for shape, columns in outlines.read(connection, alone, at).items():
        number, ids = shape[0], columns.stored(ORDER_ID)
        tree: Tree[Firing] = rules.trees.setdefault((connection.dialect.name, shape), Tree())
        for end, orders in tree.sort(columns, partial(_work_out, connection, number, ids, rules)):
            some = columns.some(orders)
            some.seal(end.seals)
            form, due_at = end.made
            leaves = leaves or form.wakes
            staging = staging or Staging(connection)
            staging.fill(form, some, at)
            fired |= zip(some.stored(ORDER_ID), some.of(due_at, None), strict=True)
    if staging:
        staging.end()
    return [*fired.values()], [timer for timer in due if timer[0] not in fired], leaves


def _work_out(connection: Connection, number: int, ids: Sequence[int], rules: Rules, asked: Asked, order: int) -> Firing:
    """Let a timer fire whose order's own values are blanks.

    Raises:
        CannotTell: it must not fire, or the process looks at more than is known of such orders.

    """
    order_id = ids[order]
    stored = cases.load(connection, [order_id], for_timers=True)[order_id]
    case, at = blanked(stored.case, asked), cast(datetime, asked.blank(AT))
    timer = case.due_timer(number, at)
    if timer is None:
        raise CannotTell
    step = fire(case, timer, at, rules)
    if step.replacement:
        raise CannotTell
    change = Change(step.case, [step], (), at, order_id, case, observed=stored.observed)
    return form_of(change, modes_of(rules), asked, connection.dialect), cast(Blank, timer.due_at).place
