"""Letters written from templates, in English and Chinese; a user's own templates come first."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, FileSystemLoader, TemplateError, meta, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from workflow.arguments import argument
from workflow.case.case import Order
from workflow.case.money import exponent
from workflow.countries import country_name, language_of
from workflow.errors import AftersalesError
from workflow.policy.durations import Duration
from workflow.process import DAILY_DIGEST, EFFECTS
from workflow.reports import FIELDS
from workflow.suggestions import did_you_mean

LANGUAGES = ("en", "zh")
"""Those of letters."""
BUYERS_LANGUAGES = {
    "en": ("English", "英语"),
    "zh": ("Chinese", "中文"),
    "es": ("Spanish", "西班牙语"),
    "pt": ("Portuguese", "葡萄牙语"),
    "de": ("German", "德语"),
    "fr": ("French", "法语"),
}
"""Those of the texts that a merchant can forward to a buyer, with their names in English and Chinese."""
FOR_BUYER = "customs_buyer.txt"
"""The template of what a merchant can forward to a buyer whose parcel customs holds."""
BETWEEN = "-" * 8
"""The line between the matters of a digest whose template is about one."""
LONGEST_TEXT = 100_000
"""Characters that a template may make by repeating a text."""
LARGEST = 1_000
"""Largest number that a template may raise to a power, or by."""
OURS = Path(__file__).parent / "texts"


class BadTemplate(AftersalesError):
    """A template cannot be used; the message names it."""


class Sandbox(SandboxedEnvironment):
    """Templates that can neither reach the program nor fill the memory: a text is not multiplied beyond a letter's size."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Multiply or raise numbers, or repeat a short text.

        Raises:
            SecurityError: the result would be larger than any letter.

        """
        texts = [one for one in (left, right) if isinstance(one, str | list)]
        times = [abs(one) for one in (left, right) if isinstance(one, int)]
        if (texts and times and len(texts[0]) * times[0] > LONGEST_TEXT) or (
            operator == "**" and max(times, default=0) > LARGEST
        ):
            raise SecurityError(f"the result of {operator} would be too large for a letter")
        return super().call_binop(context, operator, left, right)


@dataclass(frozen=True, slots=True)
class OrderedGoods:
    """A line that a letter orders: `sku` as its reader knows it, `limit` the most that a piece may cost, as a sum in words."""

    quantity: int
    sku: str
    title: str = ""
    address: str | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """What the policy says of the claims of an order."""

    window: Duration
    reopen_within: Duration
    at_the_end: str


@dataclass(frozen=True, slots=True)
class ForBuyer:
    """A text that a merchant can forward to a buyer, and the name of its language."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class SentFile:
    """A photo or video that a letter speaks of: it is attached under this name, or lies under an address of the web.

    Where it is neither, it is too large for a letter, and has no address.
    """

    name: str
    is_attached: bool = True
    link: str | None = None


@dataclass(frozen=True, slots=True)
class LetterContext:
    """What a letter speaks about: an order, and what happened to it."""

    order: Order
    attempt: int
    caused_at: datetime
    details: Mapping[str, Any]
    terms: ClaimTerms
    supplier_number: str | None = None
    goods: tuple[OrderedGoods, ...] = ()
    """What the order has, and of a letter that orders it, at which price; empty where the letter names no goods."""
    limit: str | None = None
    """The most that all of it may cost, as a sum in words; None where that is not known."""
    parcels: tuple[str, ...] = ()
    """The tracking numbers of the parcels that it is about, each behind its carrier; empty where the letter names none."""
    files: tuple[SentFile, ...] = ()
    """The photos and videos of the claim that it is about."""

    @property
    def number(self) -> str:
        """The number that the supplier knows the order by, with ours; ours alone where that is not known."""
        ours = self.order.name
        return ours if self.supplier_number is None else f"{self.supplier_number} ({ours})"


TOLD = ("order", "number", "attempt", "caused_at", "details", "goods", "limit", "parcels", "files", "terms")
"""What a template knows of its first matter by these names."""
KNOWN = {*TOLD, "matters", "kind", "zone", "buyer", "at", "items", "left", "days", "held", "total"}
"""The names that a template may speak of; `buyer` is known to `customs_reminder` alone, and what follows to `daily_digest`."""


DETAILS = frozenset(
    {name for fields in FIELDS.values() for name in fields}
    | {"about", "asks", "called_off", "chosen", "claim", "cost", "decision", "evidence_until", "fills_gap", "gap", "goods"}
    | {
        "ledger",
        "left",
        "left_attempt",
        "next",
        "nth",
        "pieces",
        "recovery",
        "refund",
        "rest",
        "settled",
        "supplier",
        "window_ends",
    }
)
"""What the details of effects have, some of it each."""
KNOWN_OF: Mapping[str, Set[str]] = {
    "order": {*Order.__dataclass_fields__, "name"},
    "details": DETAILS | {"get", "items", "keys", "values"},
    "matter": {*LetterContext.__dataclass_fields__, "number"},
    "terms": {*ClaimTerms.__dataclass_fields__},
    "buyer": {*ForBuyer.__dataclass_fields__},
}
"""What these have that a template may speak of."""


@dataclass(frozen=True, slots=True)
class DailyItem:
    """One thing that needs a merchant, and the command that answers it; `amount` is a sum in words."""

    order: str
    what: str
    command: str
    until: datetime | None = None
    amount: str | None = None


@dataclass(frozen=True, slots=True)
class Daily:
    """What a merchant is told once a day: what needs them, how much else does, and the deadlines of the next days in words.

    A day without a date stands for what is overdue; `held` counts the effects that are held until they go live.
    """

    at: datetime
    items: tuple[DailyItem, ...]
    left: int = 0
    days: tuple[tuple[datetime | None, str], ...] = ()
    held: int = 0

    @property
    def total(self) -> int:
        """How many things need them."""
        return len(self.items) + self.left


@dataclass(frozen=True, slots=True)
class Letter:
    """A written letter."""

    subject: str
    body: str


class Letters:
    """Writes letters. `own` is a folder with `en/KIND.txt` and `zh/KIND.txt` of the user's.

    Templates are read once: who changes them makes another one of these.

    The first line of a template is the subject; the rest, after an empty line, the body. One that does not speak of `matters`
    is about one of them: of many it is filled in for each, under its subject.
    """

    def __init__(self, own: Path | None = None) -> None:
        self._own = own
        folders = [str(folder) for folder in (own, OURS) if folder]
        self._templates = {language: _environment(folders, language) for language in BUYERS_LANGUAGES}
        self._names: dict[tuple[str, str], Set[str]] = {}
        """What each template speaks of, once it was asked."""

    def write(self, kind: str, language: str, matters: Sequence[LetterContext], zone: tzinfo = UTC) -> Letter:
        """Write the letter of an effect kind about one matter or, as a digest, about many; times are those of a zone.

        Raises:
            BadTemplate: the template is missing or cannot be filled in.

        """
        chosen = language_for(language)
        name = f"{chosen}/{kind}.txt"
        try:
            together = len(matters) == 1 or "matters" in self._variables(chosen, name)
            parts = [
                self._part(chosen, name, some, zone) for some in ([matters] if together else [[matter] for matter in matters])
            ]
        except Exception as error:  # a user's template may fail in any way, and must not stop other letters
            raise BadTemplate(f"the template {name} cannot be used: {type(error).__name__}: {error}") from None
        if len(parts) == 1:
            return parts[0]
        first, others = parts[0].subject, len(parts) - 1
        subject = f"{first}（另有 {others} 个订单）" if chosen == "zh" else f"{first}, and {others} more"
        return Letter(subject, f"\n{BETWEEN}\n\n".join(f"{part.subject}\n\n{part.body}" for part in parts))

    def daily(self, language: str, daily: Daily, zone: tzinfo = UTC) -> Letter:
        """Write what needs a merchant today.

        Raises:
            BadTemplate: the template is missing or cannot be filled in.

        """
        name = f"{language_for(language)}/{DAILY_DIGEST}.txt"
        values = {**{name: getattr(daily, name) for name in Daily.__dataclass_fields__}, "total": daily.total}
        try:
            text = self._templates[language_for(language)].get_template(name).render({**values, "zone": zone})
        except Exception as error:  # a user's template may fail in any way
            raise BadTemplate(f"the template {name} cannot be used: {type(error).__name__}: {error}") from None
        subject, _, body = text.strip().partition("\n")
        return Letter(" ".join(subject.split()), body.strip() + "\n")

    def _part(self, language: str, name: str, matters: Sequence[LetterContext], zone: tzinfo) -> Letter:
        first = matters[0]
        about = {name: getattr(first, name) for name in TOLD}
        values = {**about, "matters": matters, "kind": Path(name).stem, "zone": zone}
        if name.endswith("/customs_reminder.txt"):
            values["buyer"] = self._for_buyer(language, first, zone)
        text = self._templates[language].get_template(name).render(values)
        subject, _, body = text.strip().partition("\n")
        told = str(first.details.get("tell") or "")
        if len(matters) == 1 and told not in body:
            body = f"{body.strip()}\n\n{told}"
        return Letter(" ".join(subject.split()), body.strip() + "\n")

    def _for_buyer(self, reader: str, matter: LetterContext, zone: tzinfo) -> ForBuyer:
        """Return what a merchant can forward, in the language of the country where the order goes, or else in English."""
        spoken = language_of(matter.order.country) if matter.order.country else None
        language = spoken if spoken in BUYERS_LANGUAGES else "en"
        about = {name: getattr(matter, name) for name in TOLD}
        text = self._templates[language].get_template(f"{language}/{FOR_BUYER}").render({**about, "zone": zone})
        return ForBuyer(BUYERS_LANGUAGES[language][reader == "zh"], text.strip())

    def _variables(self, language: str, name: str) -> Set[str]:
        """Return the names that a template speaks of."""
        if (language, name) not in self._names:
            self._names[language, name] = meta.find_undeclared_variables(self._parsed(language, name))
        return self._names[language, name]

    def _parsed(self, language: str, name: str) -> nodes.Template:
        environment = self._templates[language]
        assert environment.loader is not None, "templates are read from folders"
        return environment.parse(environment.loader.get_source(environment, name)[0])

    def _unknown(self, language: str, name: str) -> Iterator[tuple[str, str]]:
        """Yield what a template speaks of that no letter has, each with the name that may have been meant."""
        parsed = self._parsed(language, name)
        for said in sorted(meta.find_undeclared_variables(parsed) - KNOWN):
            yield said, did_you_mean(said, sorted(KNOWN))
        for one in parsed.find_all(nodes.Getattr):
            of = one.node.name if isinstance(one.node, nodes.Name) else getattr(one.node, "attr", "")
            known = KNOWN_OF.get(of)
            if known and one.attr not in known:
                yield f"{of}.{one.attr}", did_you_mean(one.attr, sorted(known))

    def problems(self) -> Iterator[str]:
        """Yield effects without a text in some language, and what is wrong with the user's own templates."""
        kinds = [*(effect.kind for effect in EFFECTS), DAILY_DIGEST]
        needed = [f"{language}/{kind}.txt" for language in LANGUAGES for kind in kinds]
        needed += [f"{language}/{FOR_BUYER}" for language in BUYERS_LANGUAGES]
        yield from (f"there is no text {name}" for name in needed if not (OURS / name).is_file())
        if self._own is None:
            return
        if not self._own.is_dir():
            yield f"the templates {self._own} are not a folder"
        for path in sorted(self._own.glob("*/*")):
            name = f"{path.parent.name}/{path.name}"
            if name not in needed:
                yield f"{path} is no template: write {'|'.join(LANGUAGES)}/KIND.txt{did_you_mean(path.stem, kinds)}"
                continue
            try:
                self._templates[path.parent.name].get_template(name)
                unknown = [*self._unknown(path.parent.name, name)]
            except (TemplateError, UnicodeError) as error:
                yield f"{path} cannot be used: {error}"
                continue
            yield from (f"{path} speaks of {said}, which no letter has{hint}" for said, hint in unknown)

    def gaps(self) -> Iterator[str]:
        """Yield where the user's own templates are in one language alone: the other has the program's own words."""
        for effect in EFFECTS if self._own else ():
            there = [one for one in LANGUAGES if self._own and (self._own / one / f"{effect.kind}.txt").is_file()]
            for missing in LANGUAGES if len(there) == 1 else ():
                if missing not in there:
                    has = f"{self._own} has {there[0]}/{effect.kind}.txt and no {missing}/{effect.kind}.txt"
                    yield f"{has}: in that language the program's own text is sent"


def language_for(language: str) -> str:
    """Return in which of the languages of letters a reader is written to.

    >>> language_for("zh-CN"), language_for("fr")
    ('zh', 'en')
    """
    return "zh" if language.lower().startswith("zh") else "en"


def _environment(folders: list[str], language: str) -> Sandbox:
    templates = Sandbox(
        loader=FileSystemLoader(folders),
        auto_reload=False,
        optimized=False,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["money"] = partial(_money, language=language)
    templates.filters["instant"] = _instant
    templates.filters["day"] = _day
    templates.filters["span"] = partial(_span, language=language)
    templates.filters["argument"] = argument
    templates.filters["wrong"] = partial(_what_is_wrong, language=language)
    templates.filters["listed"] = partial(_listed, language=language)
    templates.filters["because"] = partial(_because, language=language)
    templates.filters["country"] = partial(country_name, language=language)
    return templates


_WRONG = {"missing": "缺少", "wrong": "发错", "damaged": "破损", "not_received": "未收到"}
"""What is wrong with claimed pieces, in Chinese."""


def _what_is_wrong(kind: Any, *, language: str) -> str:
    """Write the kind of a claim; where there is none, nothing."""
    return _WRONG.get(str(kind), "") if language == "zh" else str(kind or "").replace("_", " ")


def _listed(goods: Sequence[OrderedGoods], *, language: str) -> str:
    """Write goods in one line: how many of which."""
    names = [f"{one.sku} ({one.title})" if one.sku and one.title else one.sku or one.title for one in goods]
    if language == "zh":
        return "、".join(f"{name} {one.quantity} 件" for name, one in zip(names, goods, strict=True))
    return ", ".join(f"{one.quantity} x {name}" for name, one in zip(names, goods, strict=True))


def _money(minor: Any, currency: str, *, language: str) -> str:
    """Write a sum; one that is not known is the full amount paid (rule 8.6)."""
    return sum_in_words(minor, currency) if isinstance(minor, int) else _FULL_AMOUNT[language]


def sum_in_words(minor: int, currency: str) -> str:
    """Write a sum with its ISO code: one sign stands for several currencies.

    >>> sum_in_words(180050, "CNY"), sum_in_words(1800, "JPY")
    ('1,800.50 CNY', '1,800 JPY')
    """
    from babel.numbers import format_currency  # it takes some time, and not every command writes letters

    value = Decimal(minor).scaleb(-exponent(currency))
    written: str = format_currency(value, currency, "#,##0.00\N{NO-BREAK SPACE}¤¤", locale="en")
    return written.replace("\N{NO-BREAK SPACE}", " ")


def _span(duration: Any, *, language: str) -> str:
    """Write a length of time of the policy in words."""
    one, many, chinese = _UNITS[duration.unit]
    return f"{duration.count} {chinese}" if language == "zh" else f"{duration.count} {one if duration.count == 1 else many}"


_UNITS = {
    "wd": ("working day", "working days", "个工作日"),
    "d": ("day", "days", "天"),
    "h": ("hour", "hours", "小时"),
    "m": ("minute", "minutes", "分钟"),
}


_FULL_AMOUNT = {"en": "the full amount paid", "zh": "已付全款"}


_BECAUSE = {
    "reroute": ("the supplier has not shipped", "供应商未发货"),
    "report_no_stock": ("the supplier has no stock", "供应商缺货"),
    "report_unresponsive": ("the supplier does not answer", "供应商无回复"),
    "report_closed": ("the supplier or the platform has cancelled the order", "供应商或平台已取消订单"),
    "report_oversized": ("the goods are too large or too heavy to ship", "商品超大或超重，无法发运"),
    "confirm_interception": ("the order was stopped before it arrived", "包裹已拦截，未送达买家"),
    "choose_refund": ("the claim was approved", "申诉已通过"),
    "lapse_window": ("the claim was approved, and the time for another remedy is over", "申诉已通过，补救期限已过"),
}
"""Why money is asked for, by the trigger: in English and Chinese."""


_BECAUSE_OF_YOU = {
    "report_no_stock": ("you have no stock", "贵方缺货"),
    "report_unresponsive": ("we have had no answer from you", "贵方未回复"),
}
"""The same, as its supplier is told."""


def _because(details: Mapping[str, Any], language: str, *, to_supplier: bool = False) -> str:
    """Return the reason that a file or carrier reported, else the process's own."""
    reasons = {**_BECAUSE, **_BECAUSE_OF_YOU} if to_supplier else _BECAUSE
    english, chinese = reasons.get(str(details.get("about")), (str(details.get("about")),) * 2)
    return str(details.get("reason") or (chinese if language == "zh" else english))


@pass_context
def _instant(context: Context, written: Any) -> str:
    """Write an instant in the reader's zone, with its offset; where there is none, nothing. It may be a text of ISO 8601."""
    if not written:
        return ""
    at = _local(context, written)
    hours, minutes = divmod(round((at.utcoffset() or timedelta(0)).total_seconds() / 60), 60)
    offset = f"{hours:+d}:{minutes:02d}" if minutes else f"{hours:+d}" if hours else ""
    return f"{at:%Y-%m-%d %H:%M} (UTC{offset})"


@pass_context
def _day(context: Context, written: Any) -> str:
    """Write on which day something was, in the reader's zone; where there is no instant, nothing."""
    return f"{_local(context, written):%Y-%m-%d}" if written else ""


def _local(context: Context, written: Any) -> datetime:
    at = written if isinstance(written, datetime) else datetime.fromisoformat(str(written))
    return at.astimezone(context["zone"])
