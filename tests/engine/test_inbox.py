"""Files that lie in the inbox are taken in once, whole, and with a report (rule 7.13)."""

import errno
import fcntl
import os
from contextlib import contextmanager
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from engine import importing, owning, taking_in
from engine import inbox as inbox_folder
from engine.catalogue import chooser_of, list_changes, undo_last
from engine.firing import fire_due
from engine.inbox import Inbox, InboxRule, InboxUnusable, is_written
from engine.inbox_files import NoSuchFile, close_file, file_of, list_files, open_files
from engine.taking_in import TakingIn, problems
from engine.today import today
from storage import queries
from tests.factories import RULES, day

UTC = ZoneInfo("UTC")
HEADER = "id,placed_at,supplier,currency,paid,sku,quantity,ship_at\n"
GOOD = f"{HEADER}1001,2025-03-03T09:00:00Z,Yiwu,CNY,25.90,LAMP,1,\n"
PARTLY = f"{GOOD}1002,yesterday,Yiwu,CNY,25.90,LAMP,1,\n"
PRICES = "supplier,sku,price,currency\nYiwu,LAMP,10.00,CNY\n"
LATER = 4_000_000_000.0
"""Long after every file was changed, in seconds since 1970."""


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "inbox"
    made.mkdir()
    return made


@pytest.fixture
def shop(database, folder):
    """A database with an inbox, and a daemon that looks into it."""
    return Shop(database, folder)


class Shop:
    def __init__(self, database, folder, *rules, owner=None):
        self.database, self.folder, self.owner = database, folder, owner or owning.take(database, "once", day(1))
        self.taking = TakingIn(Inbox(folder, rules, timedelta(seconds=10), UTC), database)

    def put(self, name, text, age=0.0):
        path = self.folder / name
        path.write_text(text)
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
        return path

    def look(self, at=1.0, now=LATER, *, looks_once=True):
        return self.taking.round(self.owner, lambda: day(at), now, lambda: RULES, looks_once=looks_once)

    def there(self, where=""):
        return sorted(str(one.relative_to(self.folder)) for one in (self.folder / where).rglob("*") if one.is_file())

    def orders(self):
        with self.database.read() as connection:
            return [queries.stored_case(connection, number).case for number in ("1001",)]


def statuses(shop):
    return [(one.name, one.status) for one in reversed(list_files(shop.database, 100))]


def test_a_file_is_taken_in_and_lies_in_done_with_its_report(shop):
    shop.put("orders.csv", GOOD)
    (taken,) = shop.look().taken
    assert (taken.name, taken.status, taken.place) == ("orders.csv", "done", "done/orders.csv")
    assert shop.there() == ["done/orders.csv", "done/orders.csv.report.txt"]
    assert (shop.folder / "done/orders.csv").read_text() == GOOD
    report = (shop.folder / "done/orders.csv.report.txt").read_text()
    assert report.startswith("orders.csv, taken in at 2025-03-04 09:00:00 UTC by the program's own column names\n\norders: 1\n")
    assert shop.orders()[0].attempt.supplier == "Yiwu"
    assert shop.look() == taking_in.Round()


def test_a_file_that_was_changed_a_moment_ago_has_not_come_to_rest(shop):
    changed = shop.put("orders.csv", GOOD).stat().st_ctime
    assert shop.look(now=changed + 9.9).taken == []
    assert len(shop.look(now=changed + 10.1).taken) == 1


def test_a_file_must_be_as_it_was_in_the_look_before(shop):
    shop.put("orders.csv", GOOD[:-20], age=3_600)
    assert shop.look(looks_once=False).taken == []
    shop.put("orders.csv", GOOD, age=3_600)
    assert shop.look(looks_once=False).taken == []
    assert len(shop.look(looks_once=False).taken) == 1


@pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="only Linux says who writes a file")
def test_a_file_that_a_process_has_open_for_writing_waits(shop):
    path = shop.put("orders.csv", GOOD)
    with path.open("a") as writer:
        assert is_written(path)
        assert shop.look().taken == []
        writer.write("1003,2025-03-03T09:00:00Z,Yiwu,CNY,25.90,LAMP,1,\n")
    assert len(shop.look().taken) == 1


def test_a_file_that_changes_before_its_turn_comes_waits_for_the_next_round(shop, monkeypatch):
    shop.put("a.csv", GOOD, age=10)
    path = shop.put("b.csv", GOOD.replace("1001", "1002"))
    read = importing.import_orders

    def meanwhile(*arguments, **options):
        path.write_text(f"{HEADER}1003,2025-03-03T09:00:00Z,Yi")
        return read(*arguments, **options)

    with instead(monkeypatch, taking_in, "import_orders", meanwhile):
        assert [one.name for one in shop.look().taken] == ["a.csv"]
    assert path.exists()


@pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="only Linux says who writes a file")
def test_a_file_that_is_opened_for_writing_while_it_is_read_is_read_again(shop, monkeypatch):
    path = shop.put("orders.csv", GOOD)
    read, writers = importing.import_orders, []

    def meanwhile(*arguments, **options):
        writers.append((shop.taking.inbox.working(shop.owner) / "orders.csv").open("a"))
        return read(*arguments, **options)

    with instead(monkeypatch, taking_in, "import_orders", meanwhile):
        assert shop.look().taken == []
    assert not path.exists()
    assert shop.look(now=LATER + 60).taken == [], "it is still open"
    writers[0].write(GOOD.replace("1001", "1002").removeprefix(HEADER))
    writers[0].close()
    assert shop.look(now=LATER + 120).taken[0].words.startswith("orders 2")


def test_a_file_that_may_not_be_moved_keeps_no_other_from_its_turn(shop, monkeypatch):
    shop.put("a.csv", GOOD, age=10)
    shop.put("b.csv", GOOD.replace("1001", "1002"))
    rename = os.rename

    def refuse(source, target):
        if str(source).endswith("inbox/a.csv"):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        rename(source, target)

    with instead(monkeypatch, inbox_folder.os, "rename", refuse):
        found = shop.look()
    assert found.failures == ["a.csv waits: Operation not permitted"]
    assert [one.name for one in found.taken] == ["b.csv"]


def test_a_file_from_the_future_waits_no_longer_than_others(shop):
    path = shop.put("orders.csv", GOOD)
    os.utime(path, (LATER * 2, LATER * 2))
    assert len(shop.look().taken) == 1


def test_folders_that_files_cannot_be_moved_to_are_refused(shop, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (shop.folder / "done").symlink_to(tmp_path / "elsewhere")
    shop.put("orders.csv", GOOD)
    with pytest.raises(InboxUnusable, match="done must be a folder of its own file system, no link"):
        shop.look()
    assert (shop.folder / "orders.csv").exists()


def test_what_lies_in_done_is_never_overwritten(shop):
    for name in ("orders.csv", "orders~2.csv", "orders~2-2.csv"):
        shop.put(name, GOOD)
        shop.look()
        os.utime(shop.folder / "done" / name)
    (shop.folder / "done/orders~4.csv").write_text("a person's own")
    shop.put("orders.csv", GOOD.replace("1001", "1002"))
    (taken,) = shop.look().taken
    assert taken.place == "done/orders~4-2.csv"
    assert (shop.folder / "done/orders~4.csv").read_text() == "a person's own"


def test_files_that_lie_in_working_for_long_are_named(shop):
    shop.look()
    (shop.folder / "working/somebody").mkdir()
    (shop.folder / "working/somebody/orders.csv").write_text(GOOD)
    assert [*problems(shop.taking.inbox, LATER)] == [
        f"1 file lies in {shop.folder / 'working'} for more than ten minutes: orders.csv"
    ]


def test_what_is_no_finished_file_stays_where_it_is(shop, tmp_path):
    (tmp_path / "elsewhere.csv").write_text(GOOD)
    (shop.folder / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    (shop.folder / "folder.csv").mkdir()
    os.mkfifo(shop.folder / "pipe.csv")
    names = [".orders.csv", "~$orders.xlsx", "orders.csv.part", "orders.CSV.filepart", "orders.csv.crdownload", "orders.csv~"]
    for name in names:
        shop.put(name, GOOD)
    assert shop.look() == taking_in.Round()
    assert {*os.listdir(shop.folder)} == {*names, "link.csv", "folder.csv", "pipe.csv", "done", "rejected", "working"}


def test_the_file_that_was_changed_first_is_taken_first(shop):
    shop.put("b.csv", GOOD, age=100)
    shop.put("a.csv", GOOD.replace("1001", "1002"), age=50)
    shop.put("c.csv", GOOD.replace("1001", "1003"), age=150)
    assert [one.name for one in shop.look().taken] == ["c.csv", "b.csv", "a.csv"]


def test_the_same_content_is_never_taken_in_twice(shop):
    shop.put("orders.csv", GOOD)
    shop.look(at=1)
    shop.put("copy.csv", GOOD)
    (again,) = shop.look(at=2).taken
    assert (again.status, again.place) == ("repeated", "done/copy.csv")
    assert again.words == "the same content was taken in at 2025-03-04 09:00:00 UTC as orders.csv: nothing was done"


def test_a_file_of_the_name_of_another_is_numbered(shop):
    shop.put("orders.csv", GOOD)
    shop.look()
    shop.put("orders.csv", GOOD.replace("1001", "1002"))
    assert [one.place for one in shop.look().taken] == ["done/orders~2.csv"]
    assert "done/orders~2.csv.report.txt" in shop.there()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("-rf \n\x1b[31m‮.csv", "done/-rf __[31m_.csv"),
        (os.fsdecode(b"orders-\xff.csv"), "done/orders-_.csv"),
        ("订" * 83 + ".csv", "done/" + "订" * 65 + ".csv"),
        ("no suffix", "done/no suffix"),
    ],
)
def test_a_name_that_is_hostile_or_too_long_is_cleaned(shop, name, place):
    shop.put(name, GOOD)
    assert [one.place for one in shop.look().taken] == [place]
    assert shop.there() == [place, f"{place}.report.txt"]
    assert shop.look() == taking_in.Round()


def test_rejected_rows_lie_in_rejected_to_be_mended_and_are_settled_when_they_are(shop):
    shop.put("orders.csv", PARTLY)
    (taken,) = shop.look().taken
    assert (taken.status, taken.place) == ("rejected", "rejected/orders.csv")
    mend = shop.folder / "rejected/orders.csv.to-mend.csv"
    assert "line 3, placed_at, order 1002: 'yesterday'" in (shop.folder / "rejected/orders.csv.report.txt").read_text()
    assert [one.words for one in open_files(shop.database, 10)] == ["orders 1, new 1, rejected 1"]
    mended = mend.read_text().replace("yesterday", "2025-03-03T09:00:00Z")
    mend.unlink()
    shop.put("orders.csv.to-mend.csv", mended)
    assert [one.status for one in shop.look().taken] == ["done"]
    assert open_files(shop.database, 10) == []
    assert len(statuses(shop)) == 2


def test_a_price_list_that_is_mended_stands_for_the_rejected_one(shop):
    shop.put("prices.csv", PRICES + "Yiwu,MUG,cheap,CNY\n")
    shop.look()
    shop.put("prices.csv", PRICES + "Yiwu,MUG,1.00,CNY\n")
    shop.look()
    assert open_files(shop.database, 10) == []


def test_rows_of_two_files_of_one_name_are_mended_each_by_its_own(shop):
    shop.put("orders.csv", PARTLY)
    shop.look()
    shop.put("orders.csv", PARTLY.replace("1002", "1003"))
    shop.look()
    mended = (shop.folder / "rejected/orders~2.csv.to-mend.csv").read_text().replace("yesterday", "2025-03-03T09:00:00Z")
    shop.put("orders~2.csv.to-mend.csv", mended)
    shop.look()
    assert [one.id for one in open_files(shop.database, 10)] == [1]


def test_rows_are_mended_in_two_rounds(shop):
    shop.put("orders.csv", PARTLY + "1003,never,Yiwu,CNY,25.90,LAMP,1,\n")
    shop.look()
    first = (shop.folder / "rejected/orders.csv.to-mend.csv").read_text()
    shop.put("orders.csv.to-mend.csv", first.replace("yesterday", "2025-03-03T09:00:00Z"))
    shop.look()
    assert [one.id for one in open_files(shop.database, 10)] == [2]
    second = (shop.folder / "rejected/orders.csv.to-mend~2.csv").read_text()
    shop.put("orders.csv.to-mend~2.csv", second.replace("never", "2025-03-03T09:00:00Z"))
    shop.look()
    assert [status for _, status in statuses(shop)] == ["settled", "settled", "done"]
    assert [one.resolved_by for one in list_files(shop.database, 10)] == [None, "file:3", "file:2"]


def test_rows_that_are_left_out_of_what_was_to_be_mended_settle_nothing(shop):
    shop.put("orders.csv", PARTLY + "1003,never,Yiwu,CNY,25.90,LAMP,1,\n")
    shop.look()
    shop.put("orders.csv.to-mend.csv", GOOD.replace("1001", "1002"))
    assert [one.status for one in shop.look().taken] == ["done"]
    assert [one.id for one in open_files(shop.database, 10)] == [1]


def test_a_copy_of_what_was_rejected_stands_for_it(shop):
    shop.put("orders.csv", PARTLY)
    shop.look()
    shop.put("copy.csv", PARTLY)
    shop.look()
    assert [one.name for one in open_files(shop.database, 10)] == ["copy.csv"]


def test_what_a_person_left_in_rejected_is_not_overwritten(shop):
    shop.put("orders.csv", PARTLY)
    shop.look()
    mend = shop.folder / "rejected/orders.csv.to-mend.csv"
    before = mend.read_text()
    (shop.folder / "rejected/orders.csv").unlink()
    shop.put("orders.csv", PARTLY.replace("1002", "1003"))
    assert [one.place for one in shop.look().taken] == ["rejected/orders~2.csv"]
    assert mend.read_text() == before
    assert "1003" in (shop.folder / "rejected/orders~2.csv.to-mend.csv").read_text()


def test_new_orders_of_a_file_are_held_where_its_pattern_says_so(database, folder):
    shop = Shop(database, folder, InboxRule("*.csv", observe=True))
    shop.put("orders.csv", GOOD)
    shop.look()
    assert fire_due(database, day(2), RULES).count == 1
    with database.read() as connection:
        assert queries.counts(connection)["effects"] == {"held": 1}


def test_another_file_of_that_name_does_not_settle_what_was_rejected(shop):
    shop.put("orders.csv", PARTLY)
    shop.look()
    (shop.folder / "rejected/orders.csv").unlink()
    shop.put("orders.csv", GOOD.replace("1001", "1003"))
    shop.look()
    assert [one.id for one in open_files(shop.database, 10)] == [1]


def test_a_file_that_cannot_be_read_is_rejected_with_the_reason(shop):
    shop.put("strange.txt", "hello\n")
    (taken,) = shop.look().taken
    assert (taken.status, taken.place) == ("rejected", "rejected/strange.txt")
    assert taken.words.startswith("no pattern of [[inbox.files]] fits its name, and by the program's own column names")
    assert "strange.txt has no column 'id'" in taken.words


def test_a_person_closes_what_was_rejected(shop):
    shop.put("strange.txt", "hello\n")
    shop.look()
    assert [(one.kind, one.order, one.command) for one in today(shop.database, day(1), RULES, UTC).items] == [
        ("file", "strange.txt", "aftersales inbox show 1")
    ]
    close_file(shop.database, 1, "person:kim", "it was a note", day(2))
    one = file_of(shop.database, 1)
    assert (one.is_open, one.resolved_by, one.note) == (False, "person:kim", "it was a note")
    assert today(shop.database, day(1), RULES, UTC).items == []
    with pytest.raises(NoSuchFile, match=r"strange\.txt is settled"):
        close_file(shop.database, 1, "person:kim", "again", day(2))
    with pytest.raises(NoSuchFile, match="no file of the inbox has the id 9"):
        file_of(shop.database, 9)


def test_the_first_pattern_that_fits_says_how_a_file_is_read(database, folder, tmp_path):
    mapping = tmp_path / "shop.toml"
    mapping.write_text('time_zone = "UTC"\n[order]\nid = "No"\nplaced_at = "Date"\ncurrency = { value = "CNY" }\n')
    rules = (InboxRule("shop-*.csv", mapping), InboxRule("*.csv"))
    shop = Shop(database, folder, *rules)
    shop.put("Shop-1.CSV", "No,Date\n1001,2025-03-03\n")
    (taken,) = shop.look().taken
    assert taken.status == "done"
    assert file_of(database, taken.id).mapping == "shop.toml"
    inbox = shop.taking.inbox
    assert inbox.rule_of("shop-1~17.csv") == inbox.rule_of("shop-1.csv.to-mend.csv") == rules[0]
    assert inbox.rule_of("other.csv") == rules[1]
    assert inbox.rule_of("other.txt") is None


def test_a_price_list_changes_the_catalogue(database, folder):
    shop = Shop(database, folder, InboxRule("yiwu-*.csv", supplier="Yiwu Home", keep=True))
    shop.put("prices.csv", PRICES)
    assert shop.look(at=1).taken[0].words == "offers 1, added 1, rejected 0"
    shop.put("yiwu-1.csv", "sku,price,currency\nMUG,1.00,CNY\n")
    assert shop.look(at=2).taken[0].status == "done"
    assert chooser_of(database) is not None
    assert [(one.file, one.by) for one in list_changes(database)] == [("yiwu-1.csv", "inbox"), ("prices.csv", "inbox")]


def test_the_report_of_a_price_list_says_what_has_changed_and_what_to_look_at_twice(shop):
    shop.put("orders.csv", GOOD)
    shop.put("prices.csv", PRICES)
    shop.look(at=1)
    shop.put("prices.csv", PRICES.replace("10.00,CNY", "60.00,") + "Yivu,LAMP,9.00,CNY\nYiwu,LAMPP,9.00,CNY\n")
    (taken,) = shop.look(at=2).taken
    one = file_of(shop.database, taken.id)
    assert [*one.notes] == [
        "the supplier Yivu is new here: is it Yiwu?",
        "no order has had these SKUs: LAMPP (is it LAMP?)",
        "Yiwu LAMP (10.00 CNY → 60.00 CNY): is the new price meant?",
        "1 price without a currency, taken as CNY (orders.currency of the policy)",
    ]
    assert [*one.changes] == [
        "changed: Yiwu LAMP: price 10.00 CNY → 60.00 CNY",
        "added: Yivu LAMP 9.00 CNY",
        "added: Yiwu LAMPP 9.00 CNY",
    ]
    report = (shop.folder / f"{taken.place}.report.txt").read_text()
    assert "Look twice\nthe supplier Yivu" in report
    shop.put("prices.csv", PRICES)
    shop.look(at=3)
    assert "ended: Yivu LAMP 9.00 CNY" not in file_of(shop.database, 4).changes, "other suppliers stay"
    assert "ended: Yiwu LAMPP 9.00 CNY" in file_of(shop.database, 4).changes


def test_a_price_list_whose_report_cannot_be_written_is_imported_once(shop, monkeypatch):
    shop.put("prices.csv", PRICES)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with instead(monkeypatch, taking_in, "_write_whole", full):
        shop.look(at=1)
    undo_last(shop.database, 1, "person:kim", day(2))
    (taken,) = shop.look(at=3, now=LATER + 61).taken
    assert taken.words == "offers 1, added 1, rejected 0"
    assert [one.by for one in list_changes(shop.database)] == ["person:kim", "inbox"], "what the person has undone stays so"


def test_prices_that_come_back_within_one_instant_count(shop):
    for text in (PRICES, PRICES.replace("10.00", "12.00"), PRICES):
        shop.put("prices.csv", text)
        assert shop.look(at=1).taken[0].status == "done"


def test_a_price_list_that_was_replaced_since_is_taken_in_again(shop):
    other = PRICES.replace("10.00", "12.00")
    for at, text in enumerate((PRICES, PRICES, other, PRICES), 1):
        shop.put("prices.csv", text)
        shop.look(at=at)
    assert [status for _, status in statuses(shop)] == ["done", "repeated", "done", "done"]
    assert len(list_changes(shop.database)) == 3


def test_a_price_list_with_a_rejected_row_gives_no_rows_to_mend_alone(shop):
    shop.put("prices.csv", PRICES + "Yiwu,MUG,cheap,CNY\n")
    assert shop.look().taken[0].status == "rejected"
    assert shop.there("rejected") == ["rejected/prices.csv", "rejected/prices.csv.report.txt"]


def test_a_price_list_without_offers_changes_nothing(shop):
    shop.put("prices.csv", "supplier,sku,price,currency\n")
    assert "has no offer" in shop.look().taken[0].words


def test_files_wait_while_their_mapping_cannot_be_read(database, folder, tmp_path):
    mapping = tmp_path / "shop.toml"
    mapping.write_text("[order")
    shop = Shop(database, folder, InboxRule("*.csv", mapping))
    shop.put("orders.csv", GOOD)
    (why,) = shop.look().failures
    assert why.startswith("orders.csv waits: ")
    assert [
        one for one in problems(shop.taking.inbox, LATER) if "files that fit *.csv wait until their mapping can be read" in one
    ]
    assert shop.there() == ["orders.csv"]
    mapping.unlink()
    assert "cannot be read" in shop.look().failures[0]
    mapping.write_text('[order]\nid = "id"\nplaced_at = "placed_at"\ncurrency = "currency"\n')
    assert shop.look().taken[0].status == "done"
    assert [*problems(shop.taking.inbox, LATER)] == []


@contextmanager
def instead(monkeypatch, place, name, does):
    with monkeypatch.context() as patch:
        patch.setattr(place, name, does)
        yield


def test_a_file_that_changes_while_it_is_read_is_read_again(shop, monkeypatch):
    shop.put("orders.csv", GOOD)
    read = importing.import_orders

    def change(*arguments, **options):
        done = read(*arguments, **options)
        with (shop.taking.inbox.working(shop.owner) / "orders.csv").open("a") as file:
            file.write(GOOD.replace("1001", "1002").removeprefix(HEADER))
        return done

    with instead(monkeypatch, taking_in, "import_orders", change):
        assert shop.look().taken == []
    assert list_files(shop.database, 10) == []
    assert shop.look(now=LATER + 5).taken == []
    (taken,) = shop.look(now=LATER + 11).taken
    assert taken.words == "orders 2, new 1, orders unchanged 1, rejected 0"


def test_a_file_that_is_replaced_while_it_is_read_is_another_file(shop, monkeypatch):
    shop.put("orders.csv", GOOD)
    read = importing.import_orders

    def replace(*arguments, **options):
        shop.put("orders.csv", GOOD.replace("1001", "1002"))
        return read(*arguments, **options)

    with instead(monkeypatch, taking_in, "import_orders", replace):
        assert [one.place for one in shop.look().taken] == ["done/orders.csv"]
    assert [one.place for one in shop.look().taken] == ["done/orders~2.csv"]
    assert (shop.folder / "done/orders.csv").read_text() == GOOD


KILLS = {
    "when it was taken": (TakingIn, "_try"),
    "before it is read": (taking_in, "columns_of"),
    "while it is read": (importing, "apply"),
    "before its report is written": (taking_in, "_write_whole"),
    "before its rows to mend are written": (taking_in.rows_to_mend, "write_rows"),
    "before it is noted": (taking_in.files, "end"),
    "before it is moved": (taking_in.os, "replace"),
    "when it was moved": (taking_in.files, "moved"),
}


@pytest.mark.parametrize("when", KILLS)
def test_whoever_is_killed_the_next_one_goes_on(shop, monkeypatch, when):
    shop.put("orders.csv", PARTLY)
    place, name = KILLS[when]

    def kill(*arguments, **options):
        if name == "replace" and "orders.csv.report" in str(arguments[0]):
            return replace(*arguments)
        raise Killed

    replace = os.replace
    with instead(monkeypatch, place, name, kill), pytest.raises(Killed):
        shop.look()
    owning.free(shop.database, shop.owner, day(1))
    next_one = Shop(shop.database, shop.folder)
    next_one.look(at=2)
    next_one.look(at=2)
    assert next_one.there() == [
        "rejected/orders.csv",
        "rejected/orders.csv.report.txt",
        "rejected/orders.csv.to-mend.csv",
    ]
    (one,) = list_files(shop.database, 10)
    assert (one.name, one.status, one.counts["orders"]) == ("orders.csv", "rejected", 1)
    assert os.listdir(shop.folder / "working") == []
    with shop.database.read() as connection:
        assert taking_in.files.to_be_moved(connection) == []
        assert len(queries.history(connection, queries.resolve_id(connection, "1001"))) == 1


def test_an_order_that_failed_is_not_forgotten_when_the_import_is_interrupted(shop, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 2)
    shop.put("orders.csv", HEADER + "".join(f"{n},2025-03-03T09:00:00Z,Yiwu,CNY,1,LAMP,1,\n" for n in range(1, 7)))
    apply = importing.apply

    def failing(connection, arrivals, *arguments, **options):
        numbers = [one.order.number for one in arrivals]
        if "2" in numbers:
            raise ZeroDivisionError
        if "5" in numbers and kills:
            raise Killed
        return apply(connection, arrivals, *arguments, **options)

    kills = True
    with instead(monkeypatch, importing, "apply", failing):
        with pytest.raises(Killed):
            shop.look()
        kills = False
        owning.free(shop.database, shop.owner, day(1))
        (taken,) = Shop(shop.database, shop.folder).look(at=2).taken
    assert taken.status == "rejected"
    assert [one["order"] for one in file_of(shop.database, taken.id).rejections] == ["main/2"]


def test_what_a_living_daemon_has_taken_is_left_to_it(database, folder, monkeypatch):
    first = Shop(database, folder)
    first.put("orders.csv", GOOD)
    with instead(monkeypatch, TakingIn, "_try", lambda *_: None):
        first.look()
    second = Shop(database, folder, owner=owning.new_name())
    assert second.look().taken == []
    assert [one.status for one in first.look().taken] == ["done"]


def test_the_same_content_is_not_taken_in_by_two_at_once(database, folder, monkeypatch):
    first = Shop(database, folder)
    second = Shop(database, folder, owner=owning.new_name())
    first.put("orders.csv", GOOD)
    read, seen = importing.import_orders, []

    def meanwhile(*arguments, **options):
        if not seen:
            seen.append(second.put("copy.csv", GOOD))
            assert second.look().taken == []
        return read(*arguments, **options)

    with instead(monkeypatch, taking_in, "import_orders", meanwhile):
        assert [one.status for one in first.look().taken] == ["done"]
    assert [one.status for one in second.look(now=LATER + 11).taken] == ["repeated"]


def test_a_full_disk_loses_nothing(shop, monkeypatch):
    shop.put("orders.csv", GOOD)
    shop.put("more.csv", GOOD.replace("1001", "1002"))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with instead(monkeypatch, taking_in, "_write_whole", full):
        found = shop.look()
    assert [one.partition(":")[0] for one in found.failures] == [
        "orders.csv could not be taken in, and is tried again",
        "more.csv could not be taken in, and is tried again",
    ]
    assert shop.look(now=LATER + 30) == taking_in.Round()
    assert [one.status for one in shop.look(now=LATER + 61).taken] == ["done", "done"]


def test_a_file_that_the_program_cannot_process_is_rejected_after_some_tries(shop, monkeypatch):
    shop.put("orders.csv", GOOD)

    def fail(*_, **__):
        raise ZeroDivisionError

    with instead(monkeypatch, taking_in, "import_orders", fail):
        for n in range(5):
            shop.put(f"other-{n}.csv", "hello\n")
            found = shop.look(now=LATER + 61 * n)
            assert len(found.failures) == 1
            assert len(found.taken) == 1, "others have their turn"
        (taken,) = shop.look(now=LATER + 600).taken
    assert (taken.status, taken.words) == ("rejected", "the program could not process it")


def test_an_inbox_that_is_missing_is_said_to_be(database, tmp_path):
    shop = Shop(database, tmp_path / "nowhere")
    with pytest.raises(InboxUnusable, match="nowhere is missing: make the folder"):
        shop.look()
    assert "nowhere is missing" in next(problems(shop.taking.inbox, LATER))


def test_a_folder_that_cannot_be_made_is_named(shop):
    (shop.folder / "done").write_text("a file")
    with pytest.raises(InboxUnusable, match="cannot be used"):
        shop.look()
