"""Details: kept once in a mission under their digest, found by it, and gone when nothing names them any more."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now
from pydantic import ValidationError

from agents.checkpoints.codec import JSON, Encoded
from agents.checkpoints.encryption import Vault
from agents.checkpoints.retention import Freed
from agents.errors import DetailMissing, InvalidInput
from agents.graphs.findings import Reference
from agents.models import AgentRun, AgentSession, Detail

RESULT = "result"  # the kind of what a child came back with
LARGEST = 64 * 1024 * 1024  # bytes of one detail
LONG, SHORT = 2048, 256  # bytes up to which a result is handed over whole: from few children, from very many
TOGETHER = 64 * 1024  # bytes of all results that are handed over whole
SUMMARY = 160  # characters
SLACK = timedelta(days=1)  # a step that has kept something may take as long until its state is saved

_TELLING = ("summary", "text", "title", "statement", "question", "name")  # keys of words that say what a result is

# What names a detail: everything that is stored of the mission. What is encrypted cannot be searched: then all stay.
_TEXTS = """
    SELECT coalesce(body::text, encode(raw, 'escape')) FROM agent_values WHERE space_id = %(space)s
  UNION ALL
    SELECT coalesce(version.body::text, encode(version.raw, 'escape'))
    FROM agent_sessions JOIN agent_channel_versions version USING (session_id) WHERE space_id = %(space)s
  UNION ALL
    SELECT coalesce(write.body::text, encode(write.raw, 'escape'))
    FROM agent_sessions JOIN agent_state_writes write USING (session_id) WHERE space_id = %(space)s
  UNION ALL
    SELECT state_data::text FROM agent_sessions JOIN agent_states USING (session_id) WHERE space_id = %(space)s
  UNION ALL
    SELECT answer::text FROM agent_sessions JOIN session_waits USING (session_id) WHERE space_id = %(space)s
  UNION ALL
    SELECT concat(input, ' ', output) FROM agent_sessions JOIN agent_runs USING (session_id) WHERE space_id = %(space)s
  UNION ALL
    SELECT concat(input_data, ' ', effective_data, ' ', output_data)
    FROM agent_sessions JOIN tool_executions USING (session_id) WHERE space_id = %(space)s
  UNION ALL
    SELECT encode(body, 'escape') FROM agent_details WHERE space_id = %(space)s AND body IS NOT NULL"""
_FORGET = f"""
WITH texts(words) AS ({_TEXTS}
), named AS (
    SELECT DISTINCT found[1] AS reference FROM texts, regexp_matches(words, '[0-9a-f]{{32}}', 'g') found
), gone AS (
    DELETE FROM agent_details detail
    WHERE space_id = %(space)s AND kept_at < now() - %(slack)s
      AND NOT EXISTS (SELECT FROM named WHERE named.reference = detail.reference)
    RETURNING coalesce(octet_length(body), 0) AS size
)
SELECT count(*), coalesce(sum(size), 0) FROM gone
"""  # noqa: S608  # joined to a constant
_HAS_OLD = """
SELECT EXISTS (SELECT FROM agent_details WHERE space_id = %(space)s AND kept_at < now() - %(slack)s)
   AND NOT EXISTS (SELECT FROM agent_values WHERE space_id = %(space)s AND kind LIKE '%%+%%')
   AND NOT EXISTS (SELECT FROM agent_details WHERE space_id = %(space)s AND form LIKE '%%+%%')
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What one task came to: the output of `run`, or the part of it at `place`."""

    run: AgentRun
    output: Any
    place: int | None = None


def keep(session: AgentSession, kind: str, summary: str, body: Any, *, vault: Vault) -> Reference:
    """Keep `body` for the mission of a locked session, once. Raises InvalidInput for what is no JSON, or too long."""
    data = _canonical(body)
    if len(data) > LARGEST:
        raise InvalidInput(f"A detail may have {LARGEST // 1024 // 1024} MB.")
    form, stored = vault.stored(Encoded(JSON, data))
    reference = _digest(data, vault.hash_key)
    told = Reference(detail=reference, kind=kind, summary=_line(summary, SUMMARY), size=len(data))
    _keep([_row(session, told, form=form, body=stored)])
    return told


def adopt(session: AgentSession, reference: Reference, body: Any, *, vault: Vault) -> None:
    """Keep what another instance kept, under the reference that its states name."""
    form, stored = vault.stored(Encoded(JSON, _canonical(body)))
    _keep([_row(session, reference, form=form, body=stored)])


def shortened(session: AgentSession, results: Sequence[Result | None]) -> list[Any]:
    """The outputs as the agent `session`, which is locked, gets them: long ones by reference, from None nothing.

    The more there are the less each may have, so that all together stay short.
    """
    longest = max(SHORT, min(LONG, TOGETHER // max(len(results), 1)))
    told: list[Any] = []
    rows: list[Detail] = []
    for result in results:
        data = b"" if result is None else _canonical(result.output)
        if result is None or session.space_id is None or len(data) <= longest:
            told.append(None if result is None else result.output)
            continue
        summary = _line(summary_of(result.output), min(SUMMARY, longest // 3))
        reference = Reference(detail=_digest(data), kind=RESULT, summary=summary, size=len(data))
        rows.append(_row(session, reference, run=result.run, place=result.place))
        told.append(reference.model_dump(mode="json"))
    _keep(rows)
    return told


def fetch(space_id: UUID | None, reference: str, *, vault: Vault) -> Any:
    """The body that a mission keeps under a reference. Raises DetailMissing."""
    found = Detail.objects.filter(space_id=space_id, reference=reference).select_related("run").first()
    if found is None:
        raise DetailMissing(reference=reference)
    if found.run is not None:
        output: Any = found.run.output
        return output if found.place is None else output["results"][found.place]["output"]
    return json.loads(vault.opened(found.form, bytes(found.body or b"")).data)


def reference_in(value: Any) -> Reference | None:
    """The reference that `value` is, as JSON; None where it is something else."""
    if not isinstance(value, dict) or value.keys() != Reference.model_fields.keys():
        return None
    try:
        return Reference.model_validate(value)
    except ValidationError:
        return None


def references_in(value: Any) -> Iterator[Reference]:
    """All references in a value, however deep."""
    if found := reference_in(value):
        yield found
    elif isinstance(value, dict):
        for part in value.values():
            yield from references_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from references_in(part)


def forget_unnamed(space_id: UUID) -> Freed:
    """Delete what a mission keeps and nothing of it names: its state was never saved, or has been pruned."""
    names: dict[str, Any] = {"space": space_id, "slack": SLACK}
    with connection.cursor() as cursor:
        cursor.execute(_HAS_OLD, names)
        if cursor.fetchone() != (True,):
            return Freed(0, 0)
        cursor.execute(_FORGET, names)
        count, size = cursor.fetchone()
    return Freed(count, int(size))


def summary_of(output: Any) -> str:
    """A result in a line: the words that say what it is, and how much there is of what."""
    if not isinstance(output, dict):
        return str(output)
    words = (output[key].strip() for key in _TELLING if isinstance(output.get(key), str))
    counts = [f"{len(part)} {key}" for key, part in output.items() if isinstance(part, list) and part]
    return "; ".join(filter(None, [", ".join(counts), next(filter(None, words), "")]))


def _row(session: AgentSession, reference: Reference, **where: Any) -> Detail:
    if session.space_id is None:
        raise InvalidInput("This agent belongs to no mission, which could keep something.")
    return Detail(
        project_id=session.project_id,
        space_id=session.space_id,
        session_id=session.pk,
        reference=reference.detail,
        kind=reference.kind,
        summary=reference.summary,
        size=reference.size,
        kept_at=Now(),
        **where,
    )


def _keep(rows: Sequence[Detail]) -> None:
    """Who keeps what is kept already holds it on."""
    once = {row.reference: row for row in rows}
    Detail.objects.bulk_create(
        [once[reference] for reference in sorted(once)],
        update_conflicts=True,
        unique_fields=["space", "reference"],
        update_fields=["kept_at"],
    )


def _canonical(body: Any) -> bytes:
    try:
        return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"A detail must be JSON: {error}") from None


def _digest(data: bytes, key: bytes = b"") -> str:
    return blake2b(data, digest_size=16, key=key).hexdigest()


def _line(text: str, longest: int) -> str:
    flat = " ".join(text.replace("\0", "").split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"
