"""Letters: what each reader is told, in which language, and what is gathered in one."""

import json
from dataclasses import replace

import pytest

from effects import letters
from effects.channel import NotSent, Outgoing
from effects.email import compose
from effects.email.html import as_html
from effects.file import FileChannel
from effects.letter_samples import causes, samples
from effects.letters import BETWEEN, BadTemplate, ClaimTerms, Letters
from engine import composing
from engine.claim_evidence import Submission, add_evidence
from engine.composing import Messenger, compose_due
from engine.erasing import BuyerSelection, Places, erase, find
from engine.firing import fire_due
from engine.sending import deliver_due
from evidence.vault import SHOWN, S3Access, Vault
from storage import outbox
from tests.factories import all_effects, arrival, day, letter_about, order, report, rules_of, take
from tests.pictures import photo
from workflow.process import EFFECTS

RULES = rules_of("[effects]\ndefault_channels = ['file']\n")
TERMS = ClaimTerms(*(getattr(RULES.policy.claims, name) for name in ("window", "reopen_within", "at_the_end")))
CLAIMED = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"))


@pytest.fixture
def messenger(tmp_path):
    return Messenger({"file": FileChannel(tmp_path / "out.jsonl")}, Letters())


@pytest.fixture
def told(tmp_path):
    """What has left, by kind."""

    def left(kind=None):
        file = tmp_path / "out.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [one for one in lines if kind in (None, one["kind"])]

    return left


def own(folder, **texts):
    """Return a folder of a user's own templates: `en_escalate` is en/escalate.txt."""
    for name, text in texts.items():
        language, _, kind = name.partition("_")
        (folder / language).mkdir(parents=True, exist_ok=True)
        (folder / language / f"{kind}.txt").write_text(text)
    return folder


def test_all_of_a_kind_that_wait_for_one_reader_are_one_letter(database, messenger, told):
    left = [arrival(str(n), report("report_no_stock", 1), supplier="Yiwu", paid=1_000) for n in range(3)]
    other = arrival("x", report("report_no_stock", 1), supplier="Ningbo", paid=1_000)
    take(database, *left, other, now=1, rules=RULES)
    take(database, *(arrival(f"c{n}", *CLAIMED) for n in range(3)), now=3, rules=RULES)
    deliver_due(database, day(3), RULES, messenger)
    subjects = [one["subject"] for one in told("recover_supply")]
    assert subjects == ["Please return the money for 3 orders", "Please return the money for order main/x"]
    assert told("recover_supply")[0]["body"].count("10.00 CNY") == 3
    (asked,) = told("ask_evidence")
    assert asked["subject"] == "Please ask for photos: order main/c0, and 2 more"
    assert asked["body"].count(BETWEEN) == 2
    assert asked["body"].count("aftersales claims evidence add") == 3
    assert len(told("place_supply")) == 4, "each order goes alone"


def test_each_merchant_gets_a_digest_of_their_own_in_their_language(database, messenger, told):
    of = {"a": {"merchant_email": "a@example.com"}, "b": {"merchant_email": "b@example.com", "language": "zh"}}
    take(database, *(arrival(f"{who}{n}", *CLAIMED, **of[who]) for who in of for n in range(2)), now=3, rules=RULES)
    deliver_due(database, day(3), RULES, messenger)
    assert [(one["recipient"], one["subject"]) for one in told("ask_evidence")] == [
        ("a@example.com", "Please ask for photos: order main/a0, and 1 more"),
        ("b@example.com", "请索取照片：订单 main/b0（另有 1 个订单）"),
    ]


def test_what_a_person_tells_one_reader_stands_in_a_letter_of_its_own(database, messenger, told):
    plain, told_more = report("report_no_stock", 1), report("report_no_stock", 1, tell="Thank you, Li.")
    take(database, arrival("1", plain, supplier="Yiwu"), arrival("2", told_more, supplier="Yiwu"), now=1, rules=RULES)
    deliver_due(database, day(1), RULES, messenger)
    bodies = [one["body"] for one in told("recover_supply")]
    assert sorted("Thank you, Li." in body for body in bodies) == [False, True]


def test_a_digest_holds_all_that_waits_for_its_reader_however_many_batches_that_fills(database, messenger, told):
    take(database, *(arrival(f"c{n}", *CLAIMED) for n in range(12)), now=3, rules=RULES)
    take(database, *(arrival(f"u{n}", supplier=("Yiwu", "Ningbo", "Foshan")[n % 3]) for n in range(9)), now=3, rules=RULES)
    fire_due(database, day(3), RULES)
    while compose_due(database, day(3), RULES, messenger, batch=4):
        pass
    deliver_due(database, day(3), RULES, messenger)
    assert [one["body"].count("add main/c") for one in told("ask_evidence")] == [12]
    assert [one["body"].count("main/u") for one in told("urge_supplier")] == [3, 3, 3]


def test_one_digest_is_written_for_those_who_get_it_by_the_same_channels(database, tmp_path):
    rules = rules_of(
        "[effects]\ndefault_channels = ['file']\n[[overrides]]\nshop = 'b'\neffects.default_channels = ['log', 'file']\n"
    )
    take(database, *(arrival(f"{shop}{n}", shop=shop, supplier="Yiwu") for shop in "ab" for n in range(2)), rules=rules)
    fire_due(database, day(2), rules)

    class Counts:
        def __init__(self):
            self.subjects = []

        def send(self, message):
            self.subjects.append(message.subject)

    by = {"file": Counts(), "log": Counts()}
    deliver_due(database, day(2), rules, Messenger(by, Letters()))
    assert [len(by[name].subjects) for name in ("file", "log")] == [2, 1]
    assert set(by["file"].subjects) == {"Please ship 2 overdue orders"}


def test_customs_reminders_say_what_is_wanted_by_when_and_what_the_buyer_can_be_told(database, messenger, told):
    held = report("hold", 2, wants="payment", until=day(12).isoformat())
    sent = report("ship", 1, carrier="Cainiao", tracking_number="LP1")
    take(database, arrival("1", sent, held, country="Mexico"), now=2, rules=RULES)
    deliver_due(database, day(2), RULES, messenger)
    fire_due(database, day(6), RULES)
    deliver_due(database, day(6), RULES, messenger)
    first, again = (one["body"] for one in told("customs_reminder"))
    for said in (
        "Cainiao LP1",
        "a payment of duty or tax",
        "waits until 2025-03-15 09:00 (UTC)",
        "goes to Mexico",
        "report main/1 release",
    ):
        assert said in first, said
        assert said in again, said
    assert "(in Spanish)" in first
    assert "La aduana le pide un pago" in first
    assert "still holding" in again


@pytest.mark.parametrize(
    ("country", "begins"),
    [
        ("BR", "O seu pacote"),
        ("Deutschland", "Ihr Paket"),
        ("FR", "Votre colis"),
        ("ES", "La aduana está"),
        ("CN", "您的包裹"),
        ("JP", "Your parcel"),
        ("Atlantis", "Your parcel"),
        (None, "Your parcel"),
    ],
)
@pytest.mark.parametrize("wants", ["documents", "payment", "processing", None])
def test_a_buyer_reads_of_customs_in_the_language_of_their_country(country, begins, wants):
    about = letter_about({"about": "hold", "wants": wants, "until": day(9).isoformat()}, order(country=country))
    body = Letters().write("customs_reminder", "en", [about]).body
    (text,) = [part for part in body.split("\n\n") if part.startswith(begins)]
    has_to_answer = wants != "processing"
    assert len(text.splitlines()) == 2 + has_to_answer
    assert ("2025-03-12 09:00 (UTC)" in text) is has_to_answer


@pytest.mark.parametrize("language", letters.LANGUAGES)
@pytest.mark.parametrize("kind", [effect.kind for effect in EFFECTS])
def test_every_letter_is_whole_whatever_brings_it_about(kind, language):
    for cause in causes(kind):
        for count in (1, 3):
            letter = Letters().write(kind, language, samples(kind, cause, day(5), TERMS, count))
            for about in samples(kind, cause, day(5), TERMS, count):
                assert about.order.name in letter.subject + letter.body
            written = letter.subject + letter.body
            assert not [word for word in ("None", "Undefined", "{", "}", "()", "（）", " .", " ,") if word in written], written


def test_a_reminder_of_the_window_says_what_happens_at_its_end():
    about = letter_about({"about": "remind_window", "window_ends": day(21).isoformat(), "pieces": "1 × Mug"})
    said = {
        "refund": "the refund is requested at the end",
        "requested": "what the buyer asked for is requested",
        "escalate": "nothing is requested",
    }
    for at_the_end, words in said.items():
        terms = replace(about.terms, at_the_end=at_the_end)
        assert words in Letters().write("notify_merchant", "en", [replace(about, terms=terms)]).body


def test_a_template_about_one_order_is_filled_in_for_each_of_a_digest(tmp_path):
    mine = Letters(own(tmp_path, en_escalate="Look at {{ order.number }}\n\n{{ details.about }} of {{ order.number }}"))
    about = [letter_about({"about": "urge"}, order(number)) for number in "12"]
    letter = mine.write("escalate", "en", about)
    assert letter.subject == "Look at 1, and 1 more"
    assert letter.body == f"Look at 1\n\nurge of 1\n\n{BETWEEN}\n\nLook at 2\n\nurge of 2\n"


def test_what_a_template_of_ones_own_speaks_of_and_no_letter_has_is_named(tmp_path):
    many = "{% for matter in matters %}{{ matter.order.namee }}{% endfor %}"
    text = f"{{{{ ordr.number }}}}\n\n{{{{ order.nmber }}}} {{{{ details.wnts }}}} {many}"
    mine = Letters(own(tmp_path, en_escalate=text))
    said = " ".join(mine.problems())
    for name in ("ordr", "order.nmber", "details.wnts", "order.namee"):
        assert f"speaks of {name}, which no letter has" in said, name
    assert "no zh/escalate.txt" in " ".join(mine.gaps())
    assert [*Letters(own(tmp_path / "b", en_escalate="a", zh_escalate="b")).gaps()] == []


@pytest.mark.parametrize("text", ["{{ ''.__class__ }}", "{{ order.__init__.__globals__ }}", "{% include '/etc/passwd' %}"])
def test_a_template_reaches_neither_the_program_nor_its_files(tmp_path, text):
    mine = Letters(own(tmp_path, en_escalate=f"Subject\n\n{text}"))
    try:
        letter = mine.write("escalate", "en", [letter_about({"about": "urge"})])
    except BadTemplate:
        return
    assert letter.body.strip() == ""


HOSTILE = '<img src=x onerror=alert(1)> {{ 7*7 }} & "quotes"'


def test_what_an_order_says_is_text_in_html():
    about = letter_about({"about": "stall", "nth": 1, "pieces": HOSTILE, "reason": HOSTILE}, order(HOSTILE))
    letter = Letters().write("notify_merchant", "en", [about])
    assert "{{ 7*7 }}" in letter.body
    page = as_html(letter.subject, letter.body, "en")
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; {{ 7*7 }} &amp;" in page


def test_html_has_the_lists_commands_and_links_of_the_text():
    body = "Good day,\n\n- one\n  https://example.com/a?b=1&c=2\n- two\n\nDo:\n    aftersales x\n\n--------\n\nEnd <b>\n"
    page = as_html("Subject & more", body, "zh")
    assert '<html lang="zh">' in page
    assert "<title>Subject &amp; more</title>" in page
    assert (
        '<li>one<br><a href="https://example.com/a?b=1&amp;c=2">https://example.com/a?b=1&amp;c=2</a></li>\n<li>two</li>'
        in page
    )
    assert ">aftersales x</pre>" in page
    assert page.count("<hr") == 1
    assert "<p>End &lt;b&gt;</p>" in page


def test_a_mail_is_the_same_on_every_try_and_says_the_same_twice():
    message = Outgoing("key", "escalate", "me@example.com", "Subject", "Text\n", "zh", day(1))
    first, again = (compose(message, "shop@example.com").as_bytes() for _ in range(2))
    assert first == again
    mail = compose(message, "shop@example.com")
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]


@pytest.fixture
def vault(tmp_path):
    return Vault(str(tmp_path / "vault"), S3Access())


@pytest.fixture
def shown(database, vault, tmp_path):
    """Order 1 with a claim and a photo of it; the effect that asks for the verdict waits."""
    take(database, arrival("1", *CLAIMED, buyer_name="Kim Lee"), now=3, rules=BY_MAIL)
    add_evidence(database, vault, Submission("1", [photo(tmp_path / "kims.jpg")], "person:op"), day(4), BY_MAIL)
    return database


BY_MAIL = rules_of(
    "[effects]\ndefault_channels = ['email']\n[contacts]\nplatform = 'p@example.com'\nmerchant = 'm@example.com'\n"
)


class Post:
    """Takes what it is given, as a mail, or fails as it is told."""

    def __init__(self, *failures):
        self.failures, self.mails = [*failures], []

    def send(self, message):
        self.mails.append(compose(message, "shop@example.com"))
        if self.failures:
            raise self.failures.pop(0)

    def about(self, word):
        return [mail for mail in self.mails if word in mail["Subject"]]


def attached(mail):
    return [(one.get_filename(), one.get_content_type(), one.get_content()) for one in mail.iter_attachments()]


def test_the_platform_gets_the_copies_of_the_photos_that_are_shown(shown, vault):
    post = Post(*[NotSent("later", try_again=True)] * 2)
    messenger = Messenger({"email": post}, Letters(), vault=vault)
    for at in (5, 6):
        deliver_due(shown, day(at), BY_MAIL, messenger)
    first, again = post.about("verify")
    assert first.as_bytes() == again.as_bytes(), "the same on every try"
    ((name, kind, content),) = attached(first)
    (sha256,) = [one for folder, one, _ in vault.kept() if folder == SHOWN]
    assert (name, kind) == ("1-1.jpeg", "image/jpeg")
    assert content == vault.get(SHOWN, sha256)
    assert "Evidence 1: 1-1.jpeg, attached" in first.get_body(("plain",)).get_content()


def test_what_the_platform_wants_more_of_is_asked_for_with_what_it_has(shown, vault):
    take(shown, arrival("1", report("ask_more", 5), placing=False), now=5, rules=BY_MAIL)
    post = Post()
    deliver_due(shown, day(5), BY_MAIL, Messenger({"email": post}, Letters(), vault=vault))
    mail = post.about("ask for photos")[-1]
    assert "What has been sent so far:\n- 1-1.jpeg, attached" in mail.get_body(("plain",)).get_content()
    assert len(attached(mail)) == 1


def test_photos_that_are_too_large_for_a_mail_are_linked_or_named(shown, vault, monkeypatch):
    monkeypatch.setattr(composing, "ATTACHED_BYTES", 10)
    with shown.read() as connection:
        (effect,) = [one for one in all_effects(connection) if one["kind"] == "request_verification"]
        ready = outbox.effect(connection, effect["id"])
    on_s3 = Vault("s3://bucket/claims", S3Access("https://s3.example.com", "us-east-1", "key", "secret"))
    for store, said in (
        (vault, "too large for a mail: please ask us for it"),
        (on_s3, "https://s3.example.com/bucket/claims/shown/"),
    ):
        (message,) = composing.preview(ready, BY_MAIL.policy, Messenger({}, Letters(), vault=store))
        assert said in message.body
        assert message.attachments == ()
    assert "X-Amz-Signature=" in message.body
    assert "X-Amz-Expires=604800" in message.body


def test_a_photo_that_cannot_be_read_now_is_a_failed_try(shown, vault):
    post, (sha256,) = Post(), [one for folder, one, _ in vault.kept() if folder == SHOWN]
    content = vault.get(SHOWN, sha256)
    vault.remove_from(SHOWN, sha256)
    messenger = Messenger({"email": post}, Letters(), vault=vault)
    assert "is missing from" in deliver_due(shown, day(5), BY_MAIL, messenger).why
    (vault.folder / "again").write_bytes(content)
    vault.put(SHOWN, sha256, vault.folder / "again")
    deliver_due(shown, day(6), BY_MAIL, messenger)
    assert len(attached(post.about("verify")[0])) == 1


def test_a_letter_about_a_buyer_who_was_erased_carries_no_photo(shown, vault, tmp_path):
    post = Post(*[NotSent("later", try_again=True)] * 2)
    messenger = Messenger({"email": post}, Letters(), vault=vault)
    deliver_due(shown, day(5), BY_MAIL, messenger)
    places = Places(vault, tmp_path / "none.jsonl")
    erase(shown, places, find(shown, BuyerSelection("Kim Lee")), "person:op", day(5.5), BY_MAIL)
    deliver_due(shown, day(6), BY_MAIL, messenger)
    first, again = post.about("verify")
    assert (len(attached(first)), len(attached(again))) == (1, 0)
    assert first["Message-ID"] != again["Message-ID"]
