from storage import sizes
from tests.factories import arrival, take


def test_check_can_say_how_large_a_database_is(database):
    take(database, arrival("1"), arrival("2"))
    if database.is_shared:  # a server estimates when it looks
        with database.write() as connection:
            connection.exec_driver_sql("ANALYZE")
    with database.read() as connection:
        rows = sizes.rows(connection)
        assert (rows["orders"], rows["attempts"], rows["claims"]) == (2, 2, 0)
        assert sizes.bytes_used(connection) > 50_000
