"""Limits and addresses, typed, for code that needs them."""

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from hashlib import blake2b
from pathlib import Path

from agents.roles import Level
from orchestrator.env import RATE, environment
from orchestrator.secret import push_key, secret_key

_UNITS = {"s": 1, "m": 60, "h": 3600}
_SPANS = {1: "a second", 60: "a minute", 3600: "an hour"}


@dataclass(frozen=True, slots=True)
class RunnerLimits:
    """How agents are claimed, kept alive and given up."""

    lease: timedelta
    heartbeat: timedelta
    sweep: timedelta
    max_crashes: int
    max_running: int
    project_share: float
    drain: timedelta
    max_steps: int = 200


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How many agents one worker process runs at once, and how long one may be queued before more are wanted."""

    coordinator_threads: int
    worker_threads: int
    patience: timedelta

    def threads(self, level: Level) -> int:
        """Of a process that serves this level."""
        return self.worker_threads if level is Level.WORKER else self.coordinator_threads


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What a mission may read."""

    roots: tuple[Path, ...]
    max_bytes: int
    max_files: int = 200


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The chat model that missions may use. `name` is provider:model, empty where there is none."""

    name: str
    base_url: str
    api_key: str
    timeout: float
    retries: int
    input_price: Decimal
    output_price: Decimal
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """How often a call is tried again: first after up to `backoff` seconds, with pauses of `longest` seconds in all."""

    retries: int
    backoff: float
    longest: float


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """`failures` in a row within `window` open a breaker, 0 never do; for `rest` it lets nothing through."""

    failures: int
    rest: timedelta
    window: timedelta


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` calls in `seconds`."""

    count: int
    seconds: int

    def __str__(self) -> str:
        """In words."""
        return f"{self.count} times {_SPANS[self.seconds]}"


@dataclass(frozen=True, slots=True)
class ReuseLimits:
    """How long results are kept, how many in a project; `warm`: answers of a model at any temperature, too."""

    life: timedelta
    most: int
    warm: bool


@dataclass(frozen=True, slots=True)
class StateKeys:
    """What agents' states are encrypted with, and what they were encrypted with. No key: they are not."""

    key: bytes | None
    old: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """How people are told: links begin with `site`; `push_key` signs pushes; `is_private_allowed`: any address goes."""

    site: str
    sender: str
    push_key: str
    is_private_allowed: bool


@cache
def notice_settings() -> NoticeSettings:
    """Settings of notifications."""
    env = environment()
    return NoticeSettings(env.site, env.email_from, push_key(env), env.private_webhooks)


@cache
def secret_keys() -> StateKeys:
    """What stored secrets are encrypted with: the states' key, else one that follows from the signing key."""
    known = state_keys()
    derived = blake2b(secret_key(environment()).encode(), digest_size=32, person=b"secrets").digest()
    return StateKeys(known.key or derived, (*known.old, derived) if known.key else known.old)


@cache
def state_keys() -> StateKeys:
    """Keys of states."""
    env = environment()
    return StateKeys(
        env.state_key.get_secret_value().encode() if env.state_key else None,
        tuple(key.get_secret_value().encode() for key in env.old_state_keys),
    )


@cache
def runner_limits() -> RunnerLimits:
    """Limits of the runner."""
    env = environment()
    return RunnerLimits(
        lease=timedelta(seconds=env.lease_seconds),
        heartbeat=timedelta(seconds=env.heartbeat_seconds),
        sweep=timedelta(seconds=env.sweep_seconds),
        max_crashes=env.max_crashes,
        max_running=env.max_running,
        project_share=env.project_share,
        drain=timedelta(seconds=env.drain_seconds),
    )


@cache
def worker_limits() -> WorkerLimits:
    """Limits of worker processes."""
    env = environment()
    return WorkerLimits(env.coordinator_threads, env.worker_threads, timedelta(seconds=env.scale_patience))


@cache
def source_limits() -> SourceLimits:
    """Limits of mission sources."""
    env = environment()
    return SourceLimits(
        roots=tuple(root.resolve() for root in env.source_roots), max_bytes=env.max_upload_mb * 1024 * 1024
    )


@cache
def model_settings() -> ModelSettings:
    """The configured chat model."""
    env = environment()
    return ModelSettings(
        name=env.model,
        base_url=env.model_base_url,
        api_key=env.model_api_key.get_secret_value() if env.model_api_key else "",
        timeout=env.model_timeout,
        retries=env.model_retries,
        input_price=Decimal(str(env.model_input_price)),
        output_price=Decimal(str(env.model_output_price)),
        temperature=env.model_temperature,
    )


def retry_limits(retries: int) -> RetryLimits:
    """Limits of the tries of one call."""
    return RetryLimits(retries, backoff=0.5, longest=environment().retry_seconds)


def tool_retries() -> int:
    """Further tries of a tool."""
    return environment().tool_retries


@cache
def breaker_limits() -> BreakerLimits:
    """Limits of every breaker."""
    env = environment()
    rest = timedelta(seconds=env.breaker_seconds)
    return BreakerLimits(env.breaker_failures, rest, window=2 * rest)


@cache
def rates() -> dict[str, Rate]:
    """The rates of models and tools, by their names."""
    found = (re.fullmatch(RATE, rate) for rate in environment().rates)
    return {match[1]: Rate(int(match[2]), _UNITS[match[3]]) for match in found if match}


def longest_turn() -> float:
    """Seconds that a call waits for its turn at most."""
    return environment().rate_seconds


@cache
def reuse_limits() -> ReuseLimits:
    """Limits of kept results."""
    env = environment()
    return ReuseLimits(timedelta(seconds=env.reuse_seconds), env.reuse_most, env.reuse_warm)


def outbox_dir() -> Path:
    """Folder that agents may publish into."""
    return environment().outbox_dir
