"""An inbox whose daemons are killed while files come: the short version of what `drills.inbox` does by hand."""

from drills.inbox import check, feed_and_kill, take_in_many


def test_nothing_is_lost_or_read_by_halves_when_the_daemon_is_killed(tmp_path):
    check(feed_and_kill(6, tmp_path))


def test_two_daemons_never_take_the_same_file(tmp_path, postgres):
    url = postgres.new_database()
    check(feed_and_kill(6, tmp_path, url))
    postgres.drop(url)


def test_one_pass_takes_in_many_small_files(tmp_path):
    check(take_in_many(60, tmp_path))
