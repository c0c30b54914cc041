"""Orders as they were, orders as they would be, and buyers who are gone (rules 6.3 to 6.5)."""

import json

import pytest

from effects.channel import OutcomeUnknown
from effects.file import FileChannel
from effects.letters import Letters
from effects.log import LogChannel
from engine.auditing import audit
from engine.claim_evidence import Submission, add_evidence
from engine.composing import Messenger
from engine.erasing import BuyerSelection, Places, erase, find
from engine.firing import fire_due
from engine.rebuild import as_known, as_occurred
from engine.sending import deliver_due
from engine.simulate import Scenario, simulate
from engine.timer_commands import TimerCommand, apply_command
from evidence.vault import S3Access, Vault
from inbound.scenario import ScenarioReader
from storage import audits, queries
from storage.timers import Selection
from tests.factories import RULES, START, all_effects, arrival, day, decide, order, report, rules_of, take
from tests.pictures import photo
from workflow.errors import UnknownOrder, UsageError
from workflow.vocabulary import State


def known(database, at, number="1"):
    with database.read() as connection:
        return as_known(connection, queries.resolve_id(connection, number), day(at), RULES)


def occurred(database, at, number="1"):
    with database.read() as connection:
        return as_occurred(connection, queries.resolve_id(connection, number), day(at), RULES)


def test_an_order_is_shown_as_it_was_known_and_as_it_was_by_what_had_occurred(database):
    take(database, arrival("1"))
    fire_due(database, day(2), RULES)
    apply_command(database, Selection(), TimerCommand("postpone", "person:kim", to=day(9)), day(3), RULES)
    take(database, arrival("1", report("ship", 1), placing=False), now=5)
    assert known(database, 1).case.state is State.placed
    assert known(database, 4).case.state is State.overdue_urged
    assert known(database, 4).case.timers[0].due_at == day(9)
    assert known(database, 6).exact
    assert known(database, 6).case.state is State.shipped
    assert occurred(database, 4).case.state is State.shipped
    assert known(database, -1) is None
    assert occurred(database, -1) is None


def test_an_order_that_another_program_moved_is_told_by_its_history_alone(database):
    take(database, arrival("1", report("ship", 1)), now=1)
    told = known(database, 2)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE orders SET salt = salt, paid = 1")
        connection.exec_driver_sql("UPDATE history SET reason = 'edited' WHERE sequence = 2")
        connection.exec_driver_sql("UPDATE history SET hash = 'other' WHERE sequence = 2")
    again = known(database, 2)
    assert told.exact
    assert not again.exact
    assert again.case.state is State.shipped


def test_a_replacement_and_the_order_that_it_replaces_are_told_again(database):
    steps = ("ship", "deliver", "open_claim", "submit_evidence", "approve", "choose_reissue", "confirm_reissue")
    fields = {"kind": "damaged", "new_order": "r1"}
    said = [
        report(trigger, n, **(fields if trigger in ("open_claim", "confirm_reissue") else {}))
        for n, trigger in enumerate(steps, 1)
    ]
    take(database, arrival("1", *said, paid=1_000), now=8)
    assert known(database, 9).exact
    assert known(database, 9, "r1").exact
    assert occurred(database, 7.5).case.state is State.reissued
    assert occurred(database, 7.5, "r1").case.order.replaces == "1"
    with database.read() as connection:
        first = queries.resolve_id(connection, "1")
        assert [(one["number"], one["generation"]) for one in queries.relatives(connection, first)] == [("1", 0), ("r1", 1)]


def test_an_order_that_was_known_before_becomes_the_replacement(database):
    steps = ("ship", "deliver", "open_claim", "submit_evidence", "approve", "choose_reissue", "confirm_reissue")
    fields = {"kind": "damaged", "new_order": "2"}
    said = [
        report(trigger, n, **(fields if trigger in ("open_claim", "confirm_reissue") else {}))
        for n, trigger in enumerate(steps, 1)
    ]
    take(database, arrival("2"), now=0)
    take(database, arrival("1", *said), now=8)
    told = known(database, 9, "2")
    assert told.exact
    assert (told.case.order.replaces, told.case.order.generation, told.case.order.chain) == ("1", 1, "1")
    assert known(database, 7, "2").case.order.replaces is None
    (again,) = take(database, arrival("2", paid=5), now=9)
    assert (again.case.order.paid, again.steps) == (None, [])


# --- simulate ---


READER = ScenarioReader(START, rules_of().calendar.zone, RULES.policy.orders, RULES.calendar)


def test_a_scenario_is_lived_through_with_its_replacements(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(
        """
        days = 40
        [order]
        route = "domestic"
        paid = "20.00"
        placed_at = 2025-03-03T09:00:00Z
        [[line]]
        sku = "MUG"
        quantity = 2
        [[report]]
        trigger = "ship"
        after = "1d"
        [[report]]
        trigger = "deliver"
        at = "2025-03-10"
        """
    )
    placed, lines, reports, days = READER.file(path, {"currency": "USD"})
    more = (
        "open_claim@9d kind=damaged",
        "submit_evidence@10d",
        "approve@11d",
        "choose_reissue@12d",
        "confirm_reissue@13d new_order=7",
    )
    reports += tuple(READER.words(text, placed, number) for number, text in enumerate((*more, "cancel@14d"), 10))
    timeline = simulate(Scenario(placed, reports, lines, days or 1), RULES)
    told = [(moment.order, moment.trigger) for moment in timeline.moments]
    assert told[-3:] == [("main/7", "urge"), ("main/7", "reroute"), ("main/7", "chase_refund")]
    assert {case.name: case.state for case in timeline.cases} == {"main/1": "reissued", "main/7": "refunding"}
    assert [moment.trigger for moment in timeline.moments if moment.refused] == ["cancel"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hours = 3", "'hours' is not known there; known are days"),
        ("days = 0", "days must be a whole number"),
        ("order = 3", r"\[order\] must be a table"),
        ('[order]\ncolour = "red"', "'colour' is not known there"),
        ('[order]\nroute = "sea"', "order.route 'sea' is not a route"),
        ("line = 3", r"write each line as \[\[line\]\]"),
        ("[[report]]\nafter = '1d'", "must say its trigger"),
        ("[[report]]\ntrigger = 'shup'\nafter = '1d'", "did you mean ship"),
        ("[[report]]\ntrigger = 'open_claim'\nafter = '1d'", "needs its kind"),
        ("[[report]]\ntrigger = 'ship'\nafter = 'soon'", "'soon' is not a time"),
        ("[[report]]\ntrigger = 'ship'\nafter = '1d'\ncolour = 'red'", "'colour' is not known there"),
        ("x" * 10, "cannot|Expected"),
    ],
)
def test_a_wrong_scenario_is_refused_with_its_place(tmp_path, text, why):
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=why):
        READER.file(path, {})


def test_a_report_on_the_command_line_that_is_none_is_refused():
    for text in ("ship", "ship@1d carrier", "@"):
        with pytest.raises(UsageError):
            READER.words(text, order(), 1)


# --- erase ---

KIM = {"buyer_name": "Kim Lee", "buyer_email": "kim@example.com", "buyer_address": "1 Long Road, Leeds"}
TRACES = ("kim lee", "kim@example.com", "1 long road", "2 short street", "kims-lamp")


def everything(database, *folders):
    """Return all that is stored: every row, and every byte of every file."""
    stored = []
    with database.read() as connection:
        for table in ("orders", "reports", "effects", "messages", "attention", "claims", "evidence", "history"):
            stored += [str(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]
    text = "\n".join(stored)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return (text + "\n" + "\n".join(path.name + path.read_bytes().decode("latin-1") for path in files)).lower()


@pytest.fixture
def with_kim(database, tmp_path):
    """Two orders of Kim and one of somebody else, with reports, messages, evidence and a file of messages."""
    home = tmp_path / "home"
    home.mkdir()
    rules = rules_of("[effects]\ndefault_channels = ['file']")
    messenger = Messenger({"file": FileChannel(home / "outbox.jsonl"), "log": LogChannel()}, Letters())
    vault = Vault(str(home / "vault"), S3Access())
    address = report("correct_address", 0.2, address="2 Short Street", reason="Kim Lee moved to 2 Short Street")
    claim = (
        report("ship", 0.1),
        report("deliver", 0.2),
        report("open_claim", 0.3, kind="damaged", reason="kim@example.com wrote"),
    )
    take(
        database,
        arrival("1", address, **KIM),
        arrival("2", *claim, paid=5, **KIM),
        arrival("3", *claim[:2], report("open_claim", 0.3, kind="damaged")),
        now=1,
        rules=rules,
    )
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE effects SET status = 'ready'")
    deliver_due(database, day(1), rules, messenger)
    picture = photo(tmp_path / "kims-lamp.jpg")
    for number in ("2", "3"):
        add_evidence(database, vault, Submission(number, [picture], "person:op"), day(1.5), rules)
    own = photo(tmp_path / "own-kims-lamp.jpg", color="red")
    add_evidence(database, vault, Submission("2", [own], "person:op", reason="from Kim Lee"), day(1.6), rules)
    return home, vault, rules


def test_an_erased_buyer_is_found_nowhere_and_every_chain_still_verifies(database, with_kim):
    home, vault, rules = with_kim
    before = everything(database, home)
    for trace in TRACES:
        assert trace in before, trace
    found = find(database, BuyerSelection("KIM@example.com"))
    assert [one.name for one in found] == ["main/1", "main/2"]
    done = erase(database, Places(vault, home / "outbox.jsonl"), found, "person:op", day(2), rules)
    assert (done.orders, done.files, done.remains) == (2, 1, None)
    assert done.lines >= 1
    after = everything(database, home)
    for trace in ("kim lee", "kim@example.com", "1 long road", "2 short street"):
        assert trace not in after, trace
    with database.read() as connection:
        assert [*audits.broken_orders(connection)] == []
        assert queries.history(connection, queries.resolve_id(connection, "1"))[-1].trigger == "erase"
        assert len(queries.history(connection, queries.resolve_id(connection, "2"))) > 4
    assert len([path for path in (home / "vault").rglob("*") if path.is_file()]) == 2, "the file of the other claim stays"


def test_the_file_and_the_write_ahead_log_hold_no_trace(tmp_path, make_database, with_kim, database):
    home, vault, rules = with_kim
    erase(
        database,
        Places(vault, home / "outbox.jsonl"),
        find(database, BuyerSelection(orders=("1",))),
        "person:op",
        day(2),
        rules,
    )
    if not database.is_shared:
        for path in tmp_path.glob("*.db*"):
            content = path.read_bytes().lower()
            for trace in ("kim lee", "kim@example.com", "1 long road", "2 short street"):
                assert trace.encode() not in content, (path.name, trace)


def test_an_erased_buyer_does_not_come_back_with_the_next_import(database, with_kim):
    home, vault, rules = with_kim
    erase(database, Places(vault, home / "outbox.jsonl"), find(database, BuyerSelection("kim lee")), "person:op", day(2), rules)
    (again,) = take(database, arrival("1", **KIM), now=3, rules=rules)
    assert again.steps == []
    assert "kim lee" not in everything(database, home)
    assert find(database, BuyerSelection("kim lee")) == []
    with pytest.raises(UnknownOrder):
        find(database, BuyerSelection(orders=("9",)))


def test_a_message_that_waits_goes_on_without_the_buyer(database, tmp_path):
    rules = rules_of("[effects]\ndefault_channels = ['file']")
    address = report("correct_address", 0.2, address="2 Short Street")
    take(database, arrival("1", address, **KIM), arrival("2", report("cancel", 0.2), **KIM), now=1, rules=rules)
    from engine.composing import compose_due

    compose_due(database, day(1), rules, Messenger({}, Letters()))
    vault = Vault(str(tmp_path / "vault"), S3Access())
    erase(
        database, Places(vault, tmp_path / "none.jsonl"), find(database, BuyerSelection("kim lee")), "person:op", day(2), rules
    )
    with database.read() as connection:
        waiting = [queries.messages(connection, queries.resolve_id(connection, number))[0] for number in "12"]
    assert [one["status"] for one in waiting] == ["waiting", "waiting"]
    assert "The right address is: (erased)" in waiting[0]["body"]


@pytest.mark.parametrize("again", [False, True], ids=["waiting", "retried by a person"])
def test_a_message_that_was_tried_goes_on_under_another_key_when_its_buyer_is_erased(database, tmp_path, again):
    """Under one key the text is always the same: also where a person's retry counts the tries anew."""
    rules = rules_of("[effects]\ndefault_channels = ['file']\ntries = 1" if again else "[effects]\ndefault_channels = ['file']")
    take(database, arrival("1", report("correct_address", 0.2, address="2 Short Street"), **KIM), now=1, rules=rules)
    outbox, texts = tmp_path / "outbox.jsonl", {}

    class FailsOnce:
        def send(self, message):
            texts.setdefault(message.key, set()).add(message.body)
            if not outbox.exists():
                outbox.write_text(json.dumps({"key": message.key, "body": message.body}) + "\n")
                raise OutcomeUnknown("the line was cut off")

    messenger = Messenger({"file": FailsOnce()}, Letters())
    deliver_due(database, day(1), rules, messenger)
    if again:
        with database.read() as connection:
            decide(database, "retry", all_effects(connection, "dead"), "person:kim", day(1.1))
    vault = Vault(str(tmp_path / "vault"), S3Access())
    erase(database, Places(vault, outbox), find(database, BuyerSelection("kim lee")), "person:op", day(1.2), rules)
    assert "Short Street" not in outbox.read_text()
    deliver_due(database, day(2), rules, messenger)
    assert [len(written) for written in texts.values()] == [1, 1]
    assert "The right address is: (erased)" in [*texts.values()][1].pop()


def test_a_digest_that_tells_of_others_too_is_left_as_it_is(database, tmp_path):
    rules = rules_of("[effects]\ndefault_channels = ['file']")
    take(database, arrival("1", supplier="Yiwu", buyer_name="Day"), arrival("2", supplier="Yiwu"), rules=rules)
    fire_due(database, day(2), rules)
    sent = []
    messenger = Messenger({"file": type("Sent", (), {"send": lambda self, message: sent.append(message)})()}, Letters())
    from engine.composing import compose_due
    from tests.factories import send_due

    compose_due(database, day(2), rules, messenger)
    vault = Vault(str(tmp_path / "vault"), S3Access())
    erase(database, Places(vault, tmp_path / "none.jsonl"), find(database, BuyerSelection("day")), "person:op", day(2), rules)
    send_due(database, day(2), rules, messenger)
    assert sent == [], "the order that was erased has moved on: it is written anew"
    compose_due(database, day(2), rules, messenger)
    send_due(database, day(2), rules, messenger)
    assert sent[0].body.startswith("Good day,")
    assert "order main/2" in sent[0].body


def test_the_digest_of_a_file_stays_although_a_buyer_is_called_so(database, tmp_path):
    digest = "ab" * 32
    claimed = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"))
    told = report("submit_evidence", 4, evidence=f"{digest} of {digest[:8]}")
    take(database, arrival("1", *claimed, told, buyer_name=digest), now=5)
    vault = Vault(str(tmp_path / "vault"), S3Access())
    erase(database, Places(vault, tmp_path / "none.jsonl"), find(database, BuyerSelection(digest)), "person:op", day(6), RULES)
    assert audit(database).broken == []
    with database.read() as connection:
        assert queries.stored_case(connection, "1").case.claims[0].evidence[0] == digest


@pytest.mark.parametrize("name", ["王伟", "Élodie Ö", "Иван Петров"])
def test_a_buyer_is_found_and_erased_in_any_script(database, tmp_path, name):
    told = report("ship", 0.5, reason=f"{name} asked twice", carrier=f"picked up by {name}")
    take(database, arrival("1", told, buyer_name=name), now=1)
    vault = Vault(str(tmp_path / "vault"), S3Access())
    found = find(database, BuyerSelection(name.upper()))
    erase(database, Places(vault, tmp_path / "none.jsonl"), found, "person:op", day(2), RULES)
    assert name.lower() not in everything(database)


def test_words_of_ours_that_are_a_buyers_name_stay(database, tmp_path):
    said = (report("ship", 0.1), report("deliver", 0.2), report("open_claim", 0.3, kind="damaged", lines="sku:1"))
    take(database, arrival("1", *said, buyer_name="damaged", buyer_address="sku"), now=1)
    vault = Vault(str(tmp_path / "vault"), S3Access())
    erase(
        database, Places(vault, tmp_path / "none.jsonl"), find(database, BuyerSelection("damaged")), "person:op", day(2), RULES
    )
    with database.read() as connection:
        reports = queries.reports(connection, queries.resolve_id(connection, "1"))
    assert reports[-1]["fields"] == {"kind": "damaged", "lines": "sku:1"}


def test_the_outbox_file_keeps_the_messages_of_others(tmp_path):
    from effects.channel import Outgoing
    from effects.file import erase_lines

    channel = FileChannel(tmp_path / "outbox.jsonl")
    for key in ("a", "b"):
        channel.send(Outgoing(key, "urge_supplier", None, f"subject {key}", f"body {key}"))
    with (tmp_path / "outbox.jsonl").open("a") as torn:
        torn.write('{"key": "c", "body": "Kim Lee')
    assert erase_lines(tmp_path / "outbox.jsonl", {"a"}, "(erased)", lambda text: text.replace("Kim Lee", "-")) == 1
    assert [path.name for path in tmp_path.glob("outbox.jsonl*") if path.suffix != ".lock"] == ["outbox.jsonl"]
    whole = (tmp_path / "outbox.jsonl").read_text().splitlines()
    assert whole.pop() == '{"key": "c", "body": "-'
    lines = [json.loads(line) for line in whole]
    assert [(line["key"], line["body"]) for line in lines] == [("a", "(erased)"), ("b", "body b")]


def test_what_a_reason_says_of_the_buyer_does_not_enter_the_history(story):
    told = story(**KIM)
    told.report("report_oversized", 1, reason="kim lee of 1 long road, leeds says it is too large")
    assert told.steps[-1].history.reason == "(the buyer) of (the buyer) says it is too large"
