"""The environment, read once: the only module that looks at variables."""

import hashlib
import os
import re
from email.utils import parseaddr
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from pydantic import (
    AliasChoices,
    AnyUrl,
    Field,
    PostgresDsn,
    SecretStr,
    UrlConstraints,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

RATE = r"(\S+)=([1-9][0-9]{0,6})/([smh])"
BASE_DIR = Path(__file__).resolve().parent.parent


def default_data_dir() -> Path:
    """A folder of this checkout's own, outside the checkout: two clones never share a database.

    PostgreSQL refuses to run as root and needs a folder that an unprivileged account can reach, so root's
    data does not live in root's home.
    """
    if os.geteuid() == 0:
        parent = Path("/var/lib")
    else:
        parent = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    checkout = hashlib.sha256(str(BASE_DIR).encode()).hexdigest()[:8]
    return parent / "queenright" / f"{BASE_DIR.name}-{checkout}"


class MailServer(NamedTuple):
    """Where mail is handed in. `security` is tls (after STARTTLS), ssl (from the start) or empty."""

    host: str
    port: int
    user: str
    password: str
    security: str


_MAIL = {"smtp": ("", 25), "smtp+tls": ("tls", 587), "smtps": ("ssl", 465)}


def mail_server(address: str) -> MailServer:
    """The mail server of an address such as smtp+tls://user:password@host:587. Raises ValueError for another."""
    parts = urlsplit(address)
    if parts.scheme not in _MAIL or not parts.hostname:
        raise ValueError("a mail server looks like smtp+tls://user:password@host:587")
    security, port = _MAIL[parts.scheme]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(parts.hostname, parts.port or port, user, password, security)


class Environment(BaseSettings):
    """Every variable that Queenright reads, with its type, range and default."""

    model_config = SettingsConfigDict(
        env_prefix="QUEENRIGHT_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    port: int = Field(
        8000, ge=1, le=65535, validation_alias=AliasChoices("PORT"), description="Port of the web server."
    )
    database_url: PostgresDsn | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL"),
        description="A PostgreSQL 16+ with pgvector. Unset: the embedded server.",
    )
    redis_url: Annotated[AnyUrl, UrlConstraints(allowed_schemes=["redis", "rediss", "unix"])] | None = Field(
        None,
        validation_alias=AliasChoices("REDIS_URL"),
        description="A Redis 6.2+. Unset: the embedded server.",
    )
    data: Path = Field(default_factory=default_data_dir, description="Folder of everything that is kept.")
    database_role: str = Field(
        "queenright",
        pattern=r"^[a-z_][a-z0-9_]*$|^$",
        description="Role that the application takes after connecting; empty: the connecting one.",
    )
    secret_key: SecretStr | None = Field(None, description="Signs sessions. Unset: made once, kept in the data folder.")
    debug: bool = Field(False, description="Django's debug pages. Never on a server.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "localhost", "[::1]"), description="Host names, comma separated."
    )
    https: bool = Field(False, description="Served over HTTPS: secure cookies, HSTS.")

    source_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (BASE_DIR / "docs",), description="Folders that missions may read sources from, comma separated."
    )
    outbox: Path | None = Field(None, description="Folder that agents may publish into. Unset: outbox in the data.")
    max_upload_mb: int = Field(20, ge=1, le=500, description="Largest source file, in megabytes.")

    state_key: SecretStr | None = Field(
        None, description="Encrypts what agents' states hold: 16, 24 or 32 bytes. Unset: it can be read in SQL."
    )
    old_state_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Earlier state keys, comma separated: what they encrypted can still be read."
    )

    address: Annotated[AnyUrl, UrlConstraints(allowed_schemes=["http", "https"])] | None = Field(
        None, description="Address under which people reach the pages, for links in mail. Unset: this machine's own."
    )
    email_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("EMAIL_URL"),
        description="Mail server, such as smtp+tls://user:password@host:587; smtp, smtps, smtp+tls. Unset: no mail.",
    )
    email_from: str = Field("Queenright <queenright@localhost>", description="Sender of mail.")
    push_key: SecretStr | None = Field(
        None,
        description="Signs pushes to browsers: a private P-256 key as base64url. Unset: made once, kept in the data.",
    )
    private_webhooks: bool = Field(False, description="Webhooks may go to private and loopback addresses.")

    model: str = Field("", description="Chat model as provider:name, such as openai:gpt-5-mini. Empty: none.")
    model_base_url: str = Field("", description="Address of a server that speaks the provider's protocol.")
    model_api_key: SecretStr | None = Field(None, description="Key for the model's provider.")
    model_timeout: float = Field(60, gt=0, le=600, description="Seconds one model call may take.")
    model_retries: int = Field(3, ge=0, le=10, description="Further tries of a model call after a passing fault.")
    model_temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Temperature of the model. Unset: the provider's default. At 0 answers are reused.",
    )
    model_input_price: float = Field(0, ge=0, description="Price of a million input tokens, in dollars.")
    model_output_price: float = Field(0, ge=0, description="Price of a million output tokens, in dollars.")

    agent_modules: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Python modules that register further agents and tools, comma separated."
    )
    graphs: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="LangGraph's own files, langgraph.json, whose graphs become agents, comma separated."
    )
    lease_seconds: float = Field(6, ge=0.5, le=600, description="How long a claim lasts without a heartbeat.")
    heartbeat_seconds: float = Field(2, ge=0.1, le=60, description="Time between heartbeats of a worker.")
    sweep_seconds: float = Field(1, ge=0.1, le=60, description="Time between the sweeper's rounds.")
    max_crashes: int = Field(5, ge=1, le=100, description="Deaths of a worker at one step until a run is given up.")
    max_running: int = Field(200, ge=1, description="Agents of one project that run at once.")
    coordinator_threads: int = Field(8, ge=1, le=256, description="Queens, architects and specialists at once.")
    worker_threads: int = Field(16, ge=1, le=256, description="Workers at once.")

    scale_patience: float = Field(
        5, ge=0, le=3600, description="Seconds an agent may be queued before its level wants more workers."
    )
    tool_retries: int = Field(3, ge=0, le=10, description="Further tries of a tool after a passing fault.")
    retry_seconds: float = Field(
        120, ge=0, le=3600, description="Longest that the pauses between the tries of one call take together."
    )
    breaker_failures: int = Field(
        5, ge=0, le=1000, description="Failures in a row that open the breaker of a model or tool; 0: never."
    )
    breaker_seconds: float = Field(30, ge=0.1, le=3600, description="How long an open breaker lets nothing through.")
    rates: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Calls of a model or tool, such as openai:gpt-5-mini=60/m,publish_report=10/h, comma separated."
    )
    rate_seconds: float = Field(20, ge=0, le=300, description="Longest that a call waits for its turn.")
    project_share: float = Field(
        0.9, gt=0, le=1, description="Part of a worker's threads that the agents of one project may take."
    )
    drain_seconds: float = Field(8, ge=0, le=600, description="How long a worker that is to stop lets agents go on.")
    reuse_seconds: float = Field(86_400, ge=0, description="How long results are kept for equal work; 0: not at all.")
    reuse_most: int = Field(10_000, ge=1, description="Results that a project keeps.")
    reuse_warm: bool = Field(False, description="Reuse answers of a model also where its temperature is not 0.")

    embedder_threads: int = Field(0, ge=0, le=256, description="Threads that embed one text; 0: one per core.")

    pool_size: int = Field(0, ge=0, le=800, description="Database connections of this process; 0: one per thread.")
    idle_in_transaction_seconds: float = Field(
        0, ge=0, description="Ends a transaction that stands still. For workers only; 0: never."
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is logged.")

    @field_validator("data")
    @classmethod
    def absolute(cls, value: Path) -> Path:
        """A relative folder is meant from where the command was given; child processes run elsewhere."""
        return value.expanduser().absolute()

    @field_validator("graphs")
    @classmethod
    def all_absolute(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        """As the folder of what is kept."""
        return tuple(path.expanduser().absolute() for path in value)

    @field_validator("state_key", "old_state_keys")
    @classmethod
    def long_enough(cls, value: SecretStr | tuple[SecretStr, ...] | None) -> SecretStr | tuple[SecretStr, ...] | None:
        """AES takes keys of 16, 24 and 32 bytes."""
        keys = value if isinstance(value, tuple) else (value,) if value else ()
        for key in keys:
            if (given := len(key.get_secret_value().encode())) not in (16, 24, 32):
                raise ValueError(f"a key has 16, 24 or 32 bytes, this one has {given}")
        return value

    @field_validator("address", "email_url", "push_key", mode="before")
    @classmethod
    def unset_if_empty(cls, value: object) -> object:
        """As compose files write what is not set."""
        return None if value == "" else value

    @field_validator("email_url")
    @classmethod
    def readable_email_url(cls, value: SecretStr | None) -> SecretStr | None:
        """A scheme, a host, perhaps a port, a user and a password."""
        if value is not None:
            mail_server(value.get_secret_value())
        return value

    @field_validator("email_from")
    @classmethod
    def readable_sender(cls, value: str) -> str:
        """One address, perhaps with a name."""
        if not value.isprintable() or "@" not in parseaddr(value)[1]:
            raise ValueError("a sender looks like Queenright <desk@example.com>")
        return value

    @field_validator("push_key")
    @classmethod
    def whole_push_key(cls, value: SecretStr | None) -> SecretStr | None:
        """32 bytes as base64url."""
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{43}", value.get_secret_value()):
            raise ValueError("a key of 32 bytes is 43 characters of base64url")
        return value

    @field_validator("rates")
    @classmethod
    def readable_rates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Each is name=count/unit."""
        for rate in value:
            if not re.fullmatch(RATE, rate):
                raise ValueError(f"a rate looks like openai:gpt-5-mini=60/m, with s, m or h; {rate} does not")
        return value

    @field_validator(
        "allowed_hosts", "source_roots", "agent_modules", "graphs", "old_state_keys", "rates", mode="before"
    )
    @classmethod
    def split(cls, value: object) -> object:
        """Comma separated text becomes a tuple."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def run_dir(self) -> Path:
        """Folder of the embedded servers' sockets; a socket's path has a limit of about 100 characters."""
        beside = self.data / "run"
        if len(os.fsencode(beside)) < 80:
            return beside
        return Path("/tmp") / f"queenright-{hashlib.sha256(str(self.data).encode()).hexdigest()[:12]}"  # noqa: S108

    @property
    def site(self) -> str:
        """Address of the pages, without a slash at its end."""
        return str(self.address or f"{'https' if self.https else 'http'}://127.0.0.1:{self.port}").rstrip("/")

    @property
    def outbox_dir(self) -> Path:
        """Folder that agents may publish into."""
        return self.outbox or self.data / "outbox"

    @property
    def database_dsn(self) -> str:
        """Address of the database: the given one or the embedded server's socket."""
        socket = quote(str(self.run_dir), safe="")
        return str(self.database_url or f"postgresql://postgres@/queenright?host={socket}")

    @property
    def redis_address(self) -> str:
        """Address of Redis: the given one or the embedded server's socket."""
        return str(self.redis_url or f"unix://{quote(str(self.run_dir / 'redis.sock'))}")

    @property
    def broker_url(self) -> str:
        """The same Redis in Celery's words; those for a socket are others."""
        address = urlsplit(self.redis_address)
        if address.scheme != "unix":
            return self.redis_address
        database = parse_qs(address.query).get("db", ["0"])[0]
        return f"redis+socket://{address.path}?virtual_host={database}"


@cache
def environment() -> Environment:
    """The environment of this process. Raises ImproperlyConfigured that names every bad variable at once."""
    try:
        return Environment()
    except ValidationError as error:
        faults = [f"{_variable(fault['loc'][0])}: {fault['msg']}" for fault in error.errors(include_input=False)]
        raise ImproperlyConfigured("\n".join(["The environment has settings that do not fit.", *faults])) from None


def _variable(field: int | str) -> str:
    """Name of the variable of a field; pydantic names only those that are called otherwise."""
    return f"QUEENRIGHT_{field.upper()}" if field in Environment.model_fields else str(field)


def inherited(**changes: str) -> dict[str, str]:
    """The variables of this process, with changes, for a child process."""
    return {**os.environ, **changes}
