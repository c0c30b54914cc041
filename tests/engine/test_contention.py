"""A transaction that another one was in the way of is repeated; what is left is one line without values and secrets."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from effects.letters import BadTemplate, Letters
from engine.deciding import resolve
from engine.reporting import apply, report
from storage.database import REPEATS, Database, DatabaseFailed, repeated, shown
from storage.schema import upgrade
from tests.factories import all_flags, arrival, day, letter_about, rules_of, take
from tests.factories import report as told
from workflow.errors import UsageError, describe_error
from workflow.policy.policy import PolicyScope

RULES = rules_of()
on_postgresql = pytest.mark.parametrize("make_database", ["postgresql"], indirect=True)


class Contended(Exception):
    def __init__(self, sqlstate):
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.mark.parametrize("sqlstate", ["40P01", "40001", "55P03", "23505"])
def test_a_use_case_is_repeated_when_another_transaction_was_in_its_way(sqlstate):
    tries = []

    @repeated
    def use_case(database, given):
        tries.append([*given])
        if len(tries) < 3:
            failed = DatabaseFailed("in the way")
            raise failed from IntegrityError("INSERT", {}, Contended(sqlstate))
        return "done"

    assert use_case(Database("sqlite:///unused.db"), iter([1, 2])) == "done"
    assert tries == [[1, 2]] * 3, "what was given once is there each time"


def test_a_use_case_is_not_repeated_for_ever_nor_for_other_errors():
    tries = []

    @repeated
    def use_case(database, error):
        tries.append(1)
        raise error

    with pytest.raises(Contended):
        use_case(Database("sqlite:///unused.db"), Contended("40P01"))
    assert len(tries) == 1 + REPEATS
    with pytest.raises(Contended):
        use_case(Database("sqlite:///unused.db"), Contended("22001"))
    assert len(tries) == 2 + REPEATS


def at_once(count, work):
    """Do work in several threads at once; return what failed."""
    barrier, failures = threading.Barrier(count), []

    def run(number):
        barrier.wait()
        try:
            work(number)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@on_postgresql
def test_the_same_new_order_of_two_imports_is_stored_once(database):
    for number in range(10):
        assert at_once(4, lambda _, number=number: apply(database, [arrival(f"{number}")], day(0), RULES)) == []
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM orders").scalar() == 10


@on_postgresql
def test_upgrades_at_once_make_the_tables_once(postgres, database):
    url = postgres.new_database()
    targets = [Database(url) for _ in range(3)]
    assert at_once(3, lambda number: upgrade(targets[number])) == []
    targets[0].require()
    for target in targets:
        target.close()
    postgres.drop(url)


@on_postgresql
def test_members_of_a_chain_that_are_written_in_any_order_do_not_wait_in_a_circle(database):
    """Orders are locked by their ids, and then their chains; each thread takes the members in another order."""
    claim = (told("ship", 0.1), told("deliver", 0.2), told("open_claim", 0.3, kind="damaged"))
    approved = (told("submit_evidence", 0.4, evidence="a"), told("approve", 0.5), told("choose_reissue", 0.6))
    for n in range(4):
        replaced = told("confirm_reissue", 0.7, new_order=f"{n}-R")
        take(database, arrival(f"{n}", *claim, *approved, replaced), now=1)
    names = [f"{n}{suffix}" for n in range(4) for suffix in ("", "-R")]

    def write(number):
        for turn in range(8):
            turned = names[number:] + names[:number]
            reports = [
                arrival(name, told("note_transit", 1 + number + turn / 10, status=f"{number}"), placing=False)
                for name in turned
            ]
            apply(database, reports, day(30), RULES)

    assert at_once(4, write) == []


@on_postgresql
def test_two_people_who_resolve_one_order_do_not_fail(database):
    take(database, arrival("1", told("report_oversized", 1)), now=1)
    with database.read() as connection:
        flags = len(all_flags(connection))
    assert at_once(4, lambda n: resolve(database, "1", None, f"person:{n}", "done", day(2), RULES)) == []
    assert flags >= 0


def test_an_error_is_described_without_the_values_of_a_row():
    with pytest.raises(KeyError) as of_a_value:
        {}["Kim Lee"]
    assert describe_error(of_a_value.value) == "KeyError"
    assert describe_error(UsageError("name a file")) == "UsageError: name a file"
    with pytest.raises(AttributeError) as caught:
        rules_of().policy.line_of(PolicyScope("main", None, "domestic"), "sing", "Kim Lee")
    assert describe_error(caught.value).startswith("AttributeError at workflow.policy.policy:")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@host:port/db",
        "u:hunter2@h/db",
        "postgresql:u:hunter2",
        "postgresql://u@127.0.0.1:1/db?password=hunter2",
        "postgresql://u@127.0.0.1:1/db?sslpassword=hunter2&bogus=1",
        "postgresql://u:hunter2@127.0.0.1:1/db?connect_timeout=x",
        "mysql://u:hunter2@h/db",
    ],
)
def test_no_error_of_a_command_shows_a_password_or_a_traceback(tmp_path, url):
    command = [sys.executable, "-c", "from admin.main import main; main()", "--database", url, "orders"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert "hunter2" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_place_of_a_server_shows_who_and_where_alone():
    from sqlalchemy.engine import make_url

    assert shown(make_url("postgresql://kim:secret@db:5433/shop?sslmode=require&password=p&options=x")) == (
        "postgresql://kim:***@db:5433/shop?sslmode=require"
    )


@pytest.mark.parametrize("body", ["{{ 'a' * 3000000000 }}", "{{ [1] * 300000000 }}", "{{ 9 ** 9999999 }}"])
def test_a_template_that_would_fill_the_memory_is_refused_when_it_is_used_and_harmless_before(tmp_path, body):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "escalate.txt").write_text(f"Subject\n\n{body}")
    letters = Letters(tmp_path)
    assert not [one for one in letters.problems() if "cannot be used" in one]
    with pytest.raises(BadTemplate, match="would be too large for a letter"):
        letters.write("escalate", "en", [letter_about({})])


def test_an_endpoint_that_a_library_panics_about_is_named(tmp_path):
    from evidence.vault import ORIGINALS, S3Access, Vault, VaultFailed

    with pytest.raises(VaultFailed):
        Vault("s3://bucket/x", S3Access("nonsense", "r", "k", "s")).get(ORIGINALS, "0" * 64)


def test_a_report_on_an_order_that_cannot_be_read_is_one_line(database):
    take(database, arrival("1"), now=0)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE orders SET state = 'of another program'")
    with pytest.raises(KeyError):
        report(database, "1", told("ship", 1), day(1), RULES)


def test_what_a_command_makes_is_readable_by_its_owner_alone(tmp_path):
    (tmp_path / "orders.csv").write_text("id,placed_at,supplier,sku,quantity\n1,2026-01-01T00:00:00Z,Yiwu,A,1\n")
    root = Path(__file__).parents[2]
    run = [
        sys.executable,
        "-c",
        "from admin.main import main; main()",
        "--database",
        f"sqlite:///{tmp_path / 'new' / 'shop.db'}",
    ]
    for words in (["import", str(tmp_path / "orders.csv")], ["export", str(tmp_path / "new" / "histories.csv")]):
        subprocess.run([*run, *words], cwd=root, check=True, capture_output=True)
    made = [*(tmp_path / "new").iterdir()]
    assert [one.name for one in made if one.stat().st_mode & 0o077] == []
    assert len(made) >= 2
