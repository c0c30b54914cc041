"""The daily digest: once a day, at a local hour, to each merchant whom something needs."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from effects.channel import NotSent
from effects.file import FileChannel
from effects.letters import BadTemplate, Letters
from engine.composing import Messenger
from engine.daily import write_daily_digests
from engine.sending import deliver_due, recover
from jobs.passes import Runtime, single_pass
from storage.tables import MessageRow, table_of
from tests.factories import arrival, report, rules_of, take

SHANGHAI = ZoneInfo("Asia/Shanghai")
RULES = rules_of("[effects]\ndefault_channels = ['file']\n[contacts]\nmerchant = 'shop@example.com'\n")
NEEDED = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"), report("submit_evidence", 4))
APPROVED = (*NEEDED, report("approve", 4.5))


def at(text):
    """Return an instant of March 2025 in Shanghai: "28 08:00"."""
    return datetime.strptime(f"2025-03-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)


@pytest.fixture
def messenger(tmp_path):
    return Messenger({"file": FileChannel(tmp_path / "out.jsonl")}, Letters(), SHANGHAI)


@pytest.fixture
def told(tmp_path):
    def left():
        lines = (tmp_path / "out.jsonl").read_text().splitlines() if (tmp_path / "out.jsonl").exists() else []
        return [one for one in map(json.loads, lines) if one["kind"] == "daily_digest"]

    return left


@pytest.fixture
def needs(database):
    """A database with a claim whose window ends on 28 March."""
    take(database, arrival("1", *APPROVED, paid=1_000), now=4.5, rules=RULES)
    return database


def test_what_needs_a_merchant_is_written_at_the_hour_and_once(needs, messenger, told):
    assert write_daily_digests(needs, at("25 07:59"), RULES, messenger) == 0
    assert write_daily_digests(needs, at("25 08:00"), RULES, messenger) == 1
    assert write_daily_digests(needs, at("25 08:00"), RULES, messenger) == 0
    assert write_daily_digests(needs, at("25 23:59"), RULES, messenger) == 0
    deliver_due(needs, at("25 08:00"), RULES, messenger)
    (one,) = told()
    assert one["recipient"] == "shop@example.com"
    assert one["subject"] == "One thing needs you today, 2025-03-25"
    assert "main/1: the time for claim 1 ends: no remedy is chosen\n10.00 CNY, by 2025-03-" in one["body"]
    assert "    aftersales explain main/1\n" in one["body"]
    assert "Overdue and coming deadlines:\n- " in one["body"]
    assert write_daily_digests(needs, at("26 08:00"), RULES, messenger) == 1


def test_what_was_missed_while_nothing_ran_is_written_later_that_day(needs, messenger, told):
    assert write_daily_digests(needs, at("25 20:15"), RULES, messenger) == 1
    assert write_daily_digests(needs, at("26 07:00"), RULES, messenger) == 0


def test_a_day_on_which_nothing_needs_anybody_is_over_once_it_was_looked_at(database, messenger):
    take(database, arrival("1", *NEEDED[:1]), now=1, rules=RULES)
    assert write_daily_digests(database, at("05 08:00"), RULES, messenger) == 0
    take(database, arrival("2", *APPROVED), now=4.5, rules=RULES)
    assert write_daily_digests(database, at("05 12:00"), RULES, messenger) == 0
    assert write_daily_digests(database, at("25 08:00"), RULES, messenger) == 1


def test_each_merchant_reads_of_their_own_shops_in_their_own_language(database, messenger, told):
    own = {"merchant_email": "wang@example.com", "language": "zh-CN"}
    take(database, arrival("1", *APPROVED, shop="tmall", **own), now=4.5, rules=RULES)
    take(database, arrival("2", *APPROVED, shop="express"), now=4.5, rules=RULES)
    assert write_daily_digests(database, at("25 08:00"), RULES, messenger) == 2
    deliver_due(database, at("25 08:00"), RULES, messenger)
    of = {one["recipient"]: one for one in told()}
    assert of.keys() == {"wang@example.com", "shop@example.com"}
    assert of["wang@example.com"]["subject"] == "2025-03-25：有 1 件事需要您处理"
    assert "tmall/1：" in of["wang@example.com"]["body"]
    assert "express" not in of["wang@example.com"]["body"]
    assert "the time for claim" not in of["wang@example.com"]["body"]
    assert "tmall" not in of["shop@example.com"]["body"]


def test_nobody_is_written_to_without_an_address_or_where_the_policy_wants_none(needs, messenger):
    nowhere = rules_of("[effects]\ndefault_channels = ['file']\n")
    never = rules_of("[effects]\ndaily_digest_at = ''\n[contacts]\nmerchant = 'shop@example.com'\n")
    assert write_daily_digests(needs, at("25 08:00"), never, messenger) == 0
    assert write_daily_digests(needs, at("25 08:00"), nowhere, messenger) == 0


def test_a_pass_writes_and_sends_it(needs, messenger, told):
    from engine.owning import owned

    moment = at("25 08:00")
    with owned(needs, "once", moment) as owner:
        single_pass(Runtime(needs, RULES, messenger), owner, lambda: moment)
    assert len(told()) == 1


def test_a_digest_that_could_not_be_sent_is_tried_again_under_its_key(needs, messenger, told):
    class Fails:
        def send(self, message):
            raise NotSent("later", try_again=True)

    write_daily_digests(needs, at("25 08:00"), RULES, messenger)
    assert deliver_due(needs, at("25 08:00"), RULES, Messenger({"file": Fails()}, Letters(), SHANGHAI)).failed >= 1
    deliver_due(needs, at("25 09:00"), RULES, messenger)
    (one,) = told()
    assert one["key"] == "daily_digest-2025-03-25:shop@example.com:en:file"


def test_one_whose_sender_was_killed_is_sent_again(needs, messenger, told):
    class Killed:
        def send(self, message):
            raise KeyboardInterrupt

    write_daily_digests(needs, at("25 08:00"), RULES, messenger)
    with pytest.raises(KeyboardInterrupt):
        deliver_due(needs, at("25 08:00"), RULES, Messenger({"file": Killed()}, Letters(), SHANGHAI))
    recover(needs, at("25 08:30"))
    with needs.read() as connection:
        rows = connection.execute(table_of(MessageRow).select()).mappings().all()
    assert {row["status"] for row in rows if row["kind"] == "daily_digest"} == {"waiting"}


def test_a_template_that_cannot_be_filled_in_leaves_the_day_to_do(needs, tmp_path, messenger):
    (tmp_path / "own" / "en").mkdir(parents=True)
    (tmp_path / "own" / "en" / "daily_digest.txt").write_text("{{ 1 / 0 }}")
    with pytest.raises(BadTemplate, match=r"en/daily_digest\.txt"):
        write_daily_digests(needs, at("25 08:00"), RULES, Messenger({}, Letters(tmp_path / "own"), SHANGHAI))
    assert write_daily_digests(needs, at("25 08:05"), RULES, messenger) == 1


def test_many_things_are_counted_and_the_first_shown(database, messenger, told):
    take(database, *(arrival(str(n), *APPROVED) for n in range(40)), now=4.5, rules=RULES)
    write_daily_digests(database, at("25 08:00"), RULES, messenger)
    deliver_due(database, at("25 08:00"), RULES, messenger)
    (one,) = told()
    assert one["subject"].startswith("40 things need you today")
    assert one["body"].count("aftersales explain") == 30
    assert "… and 10 more:\n    aftersales today --limit 40" in one["body"]


def test_another_language_is_spoken_in_one_thread_alone():
    import threading

    import language
    from language import tr

    said = []
    with language.spoken("zh"):
        other = threading.Thread(target=lambda: said.append(tr("no remedy is chosen")))
        other.start()
        other.join()
        assert tr("no remedy is chosen") != "no remedy is chosen"
    assert said == ["no remedy is chosen"] == [tr("no remedy is chosen")]
