"""Work on many items at once, of which one may fail: the batch is halved down to the item that fails (rule 9.5)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def in_halves(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], None],
    set_aside: Callable[[Item, Exception], None],
    *,
    concerns_all: Callable[[Exception], bool],
) -> None:
    """Do `work` on items; where it fails, do it on each half of them, and set aside the item that fails alone.

    An error that `concerns_all` items, such as a database that cannot be used, is raised.
    """
    if not items:
        return
    try:
        work(items)
    except Exception as error:
        if concerns_all(error):
            raise
        if len(items) == 1:
            set_aside(items[0], error)
            return
    else:
        return
    middle = len(items) // 2
    for half in (items[:middle], items[middle:]):
        in_halves(half, work, set_aside, concerns_all=concerns_all)
