import pytest

import workflow.step
from tests.workflow.book import BOOK, stories, written
from workflow.process import ROWS, WITHOUT_A_MOVE

BOOK_TEXT = BOOK.read_text()
STORIES = stories(BOOK_TEXT)
AS_KEPT = dict(one.split("\n", 1) for one in BOOK_TEXT.split("\n# ")[1:])
"""What the book has below each title."""
NOT_TOLD_HERE = {"link", "unlink", "erase", "unread"}
"""Records of what is done to several orders at once, or by a file."""


@pytest.mark.parametrize("title", STORIES)
def test_the_process_does_what_the_book_says(title):
    assert written(title, STORIES[title]).rstrip().splitlines() == [f"# {title}", *AS_KEPT[title].rstrip().splitlines()]


def test_the_book_takes_every_row_of_the_process(monkeypatch):
    taken, draft = [], workflow.step.Draft

    def noted(*args, **kwargs):
        made = draft(*args, **kwargs)
        taken.append(made.row)
        return made

    monkeypatch.setattr(workflow.step, "Draft", noted)
    for title, lines in STORIES.items():
        written(title, lines)
    rows = (*ROWS, *(row for row in WITHOUT_A_MOVE if row.trigger not in NOT_TOLD_HERE))
    assert [row for row in rows if row not in taken] == []
