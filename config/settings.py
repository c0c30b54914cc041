"""Settings: from a TOML file and from AFTERSALES_* variables, unknown ones refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.documents import DEFAULT_FILE, read_document
from language import tr
from workflow.errors import UsageError
from workflow.suggestions import did_you_mean
from workflow.toml import parse

if TYPE_CHECKING:
    from workflow.policy.policy import Policy

DEFAULT_POLICY = Path(__file__).parent / "policy.toml"
PREFIX = "AFTERSALES_"
NOT_SETTINGS = ("AFTERSALES_CONFIG", "AFTERSALES_TEST_POSTGRES")
SQLITE = "sqlite:///"
Port = Annotated[int, Field(ge=1, le=65_535)]


class Smtp(BaseModel):
    """The SMTP server of the email channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str | None = None
    port: Port = 587
    sender: str = "aftersales@localhost"
    user: str | None = None
    password: str | None = None
    security: Literal["none", "starttls", "tls"] = "starttls"
    most_per_minute: int | None = Field(default=None, ge=1, le=100_000)


class Webhook(BaseModel):
    """An endpoint that messages are posted to: the channel `webhook.NAME` of the policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    secrets: tuple[str, ...]
    """Each signs by itself: name the new one beside the old one until the receiver knows it."""
    allow: tuple[str, ...] = ()
    """Hosts and addresses that need not be of the open internet."""
    timeout_seconds: float = Field(default=10, gt=0, le=120)


class Chat(BaseModel):
    """A chat service: the channel `chat.NAME` of the policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """As Apprise has it; it holds the secret of the service."""


class S3(BaseModel):
    """How an S3-compatible store of evidence is reached."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str | None = None
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: str | None = None


class InboxFiles(BaseModel):
    """How files of the inbox are read whose names fit a pattern."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str = Field(min_length=1)
    """What their names look like: `*` stands for anything, `?` for one letter."""
    mapping: str | None = None
    """The file of a mapping, or the name of a ready one; the program's own column names without it."""
    supplier: str | None = None
    """Who offers what stands in rows of a price list that name no supplier."""
    shop: str | None = None
    """For which shop rows of a price list count that name none."""
    observe: bool = False
    """Whether every effect of orders that such a file brings anew is held until `observe end`."""
    keep: bool = False
    """Whether a price list is a part of what its suppliers offer: offers that it does not name stay."""


class Inbox(BaseModel):
    """A folder whose files are taken in by themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path | None = None
    """A folder for this alone: whatever else lies there would be taken in too."""
    at_rest_seconds: float = Field(default=10, ge=0, le=86_400)
    """How long a file must not have changed before it is taken in."""
    files: tuple[InboxFiles, ...] = ()
    """The first whose pattern fits says how a file is read."""


TABLES: dict[str, type[BaseModel]] = {"smtp": Smtp, "s3": S3, "inbox": Inbox}
NAMED: dict[str, type[BaseModel]] = {"webhooks": Webhook, "chats": Chat}
"""Tables of tables, each under a name of the user's."""


class Settings(BaseModel):
    """Everything about this installation; what the process does stands in the policy.

    Relative paths of a settings file are seen from its own folder, all others from the current one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    database: str = "sqlite:///aftersales.db"
    policy: Path | None = None
    time_zone: str | None = None
    """The display time zone; the machine's own where it is not set."""
    language: Literal["en", "zh"] = "en"
    """The language of the screens; letters have their own."""
    templates: Path | None = None
    outbox_file: Path = Path("outbox.jsonl")
    evidence: str = "evidence"
    """A folder, or s3://BUCKET/PREFIX."""
    smtp: Smtp = Smtp()
    webhooks: dict[str, Webhook] = {}
    chats: dict[str, Chat] = {}
    channels: dict[str, dict[str, dict[str, Any]]] = {}
    """Channels that installed packages add: by kind and name, what the package is given."""
    s3: S3 = S3()
    inbox: Inbox = Inbox()

    def policy_text(self) -> str:
        """Return the text of the policy in force.

        Raises:
            UsageError: the file cannot be read.

        """
        try:
            return read_document(self.policy or DEFAULT_POLICY)
        except UsageError as error:
            raise UsageError(tr("the policy {error}", error=error)) from None

    def read_policy(self) -> "Policy":
        """Return the policy in force, checked.

        Raises:
            PolicyError: names the file, and what is wrong with it.

        """
        from workflow.policy.policy import PolicyError, read_policy  # its models are slow to make, and seldom needed

        try:
            return read_policy(self.policy_text())
        except PolicyError as error:
            raise PolicyError(f"{self.policy or tr('the policy that comes with the program')}: {error}") from None


def settings_file(file: Path | None, environment: Mapping[str, str]) -> Path:
    """Return which file the settings stand in: what the user named, else AFTERSALES_CONFIG, else ./aftersales.toml."""
    return file or Path(environment.get("AFTERSALES_CONFIG", DEFAULT_FILE))


def load_settings(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read settings: defaults, then the file, then the environment.

    `file` is what the user named; the default ./aftersales.toml need not be there.

    Raises:
        UsageError: the file is missing or not TOML, or a setting is unknown or has a wrong value.

    """
    path = settings_file(file, environment)
    is_named = file is not None or "AFTERSALES_CONFIG" in environment
    values = _at_home(_read(path), path.parent) if is_named or path.exists() else {}
    for name, value in environment.items():
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            _put(values, name, value)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise UsageError("; ".join(_explain(one, path) for one in error.errors())) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse(read_document(path))
    except UsageError as error:
        raise UsageError(tr("the settings {error}", error=error)) from None
    except ValueError as error:
        raise UsageError(tr("the settings {path} cannot be read: {error}", path=path, error=error)) from None


def _at_home(values: dict[str, Any], home: Path) -> dict[str, Any]:
    """Resolve relative paths of a settings file against its folder."""
    for name in ("policy", "templates", "outbox_file", "evidence"):
        if isinstance(values.get(name), str) and "://" not in values[name]:
            values[name] = str(home / values[name])
    _put_inbox_at_home(values.get("inbox"), home)
    database = values.get("database")
    if isinstance(database, str) and database.startswith(SQLITE):
        values["database"] = f"{SQLITE}{Path(quote(str(home))) / database.removeprefix(SQLITE)}"
    return values


def _put_inbox_at_home(inbox: Any, home: Path) -> None:
    """Resolve the folder of the inbox, and the mappings of its files that lie beside the settings."""
    if not isinstance(inbox, dict):
        return
    if isinstance(inbox.get("folder"), str):
        inbox["folder"] = str(home / inbox["folder"])
    files = inbox.get("files")
    for one in files if isinstance(files, list) else ():
        if isinstance(one, dict) and isinstance(one.get("mapping"), str) and (home / one["mapping"]).exists():
            one["mapping"] = str(home / one["mapping"])


def _put(values: dict[str, Any], name: str, value: str) -> None:
    """Store a variable under its setting: AFTERSALES_DATABASE, or AFTERSALES_SMTP__HOST for a table."""
    *tables, last = name.removeprefix(PREFIX).lower().split("__")
    for table in tables:
        inner = values.setdefault(table, {})
        if not isinstance(inner, dict):
            raise UsageError(tr("{name}: {table} is not a table of settings", name=name, table=table))
        values = inner
    values[last] = value


def _explain(error: Any, path: Path) -> str:
    *tables, name = (str(part) for part in error["loc"])
    known = TABLES[tables[0]].model_fields if tables and tables[0] in TABLES else Settings.model_fields
    known = InboxFiles.model_fields if tables[:2] == ["inbox", "files"] else known
    known = NAMED[tables[0]].model_fields if tables and tables[0] in NAMED else known
    variable = PREFIX + "__".join([*tables, name]).upper()
    if error["type"] == "extra_forbidden":
        return tr(
            "{value} ({path}) or {variable} is not a setting{hint}",
            value=".".join([*tables, name]),
            path=path,
            variable=variable,
            hint=did_you_mean(name, known),
        )
    return tr(
        "{value} ({path}) or {variable}: {msg}", value=".".join([*tables, name]), path=path, variable=variable, msg=error["msg"]
    )
