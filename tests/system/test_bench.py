"""What the benchmark compares does the same work: the limit, written by hand, leaves the rows that the process does."""

from datetime import timedelta

from bench import limit
from bench.work import BEGIN, RULES, due_by, order
from engine.firing import fire_due
from engine.reporting import apply
from tests.factories import left_behind


def test_the_limit_leaves_behind_what_the_process_does(make_database):
    rows = []
    for fire in (lambda database, at: limit.fire(database, at, 500), lambda database, at: fire_due(database, at, RULES).count):
        database = make_database()
        with database.write() as connection:
            apply(connection, [order(number) for number in range(20)], BEGIN + timedelta(days=1), RULES)
        assert fire(database, due_by(20)) == 20
        rows.append(left_behind(database))
        database.close()
    assert rows[0] == rows[1]
