"""Tools that were written for LangChain, as tools of the registry."""

from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_jsonable_python

from agents.errors import InvalidInput
from agents.lifecycle import Policy, Risk
from agents.schemas import faults
from orchestrator.tools.tool import Caller, Compensation, Reuse, Tool, check_storable


class AnyArguments(BaseModel):
    """Arguments whose names and types only a JSON schema knows."""

    model_config = ConfigDict(extra="allow", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTool(Tool[Any]):
    """A tool of LangChain's. `key_argument` is what it takes the caller's idempotency key as; empty: it takes none.

    `described`: the JSON schema of one that is described by nothing else, as those of MCP servers are.
    """

    key_argument: str = ""
    described: dict[str, Any] | None = None

    def parse(self, arguments: dict[str, Any]) -> Any:
        """The arguments as the tool takes them. Raises InvalidInput with a message for each bad field."""
        if self.described is None:
            return Tool.parse(self, arguments)
        check_storable(arguments)
        if fields := faults(self.described, arguments):
            raise InvalidInput(f"The arguments of {self.name} do not fit.", fields=fields)
        return AnyArguments.model_validate(arguments)

    def schema(self) -> dict[str, Any]:
        """The arguments as JSON schema."""
        return self.described or Tool.schema(self)

    def key(self, caller: Caller) -> dict[str, Any]:
        """The argument beside those of the model: the idempotency key, where the tool takes one."""
        return {self.key_argument: caller.idempotency_key} if self.key_argument else {}


class WithKey(BaseTool):
    """A tool that is given further arguments after LangChain has taken away what a model must not set."""

    tool: BaseTool
    given: dict[str, Any]

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002  # its name
        """What the tool makes of a call."""
        return self.tool.invoke({**input, "args": {**input["args"], **self.given}}, config, **kwargs)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        return self.tool._run(*args, **kwargs, **self.given)


def imported(
    tool: BaseTool,
    *,
    risk: Risk = Risk.HIGH,
    policy: Policy = Policy.ASK,
    idempotent: bool = False,
    reads_only: bool = False,
    key_argument: str = "",
    version: str = "1",
    title: str = "",
    compensation: Compensation | None = None,
    reuse: Reuse | None = None,
) -> ImportedTool:
    """A LangChain tool with what Queenright must know of it. By default nothing is known: a person is asked.

    `key_argument` names an injected argument (`InjectedToolArg`) that is given the call's idempotency key.
    """
    schema: Any = tool.tool_call_schema
    described = schema if isinstance(schema, dict) else None

    def run(caller: Caller, arguments: BaseModel) -> dict[str, Any]:
        given = arguments.model_dump(mode="json") | made.key(caller)
        return {"content": to_jsonable_python(tool.invoke(given), fallback=str)}

    made = ImportedTool(
        name=tool.name,
        version=version,
        title=title or tool.name.replace("_", " ").capitalize(),
        risk=risk,
        policy=policy,
        idempotent=idempotent,
        arguments=AnyArguments if described is not None else schema,
        run=run,
        reads_only=reads_only,
        compensation=compensation,
        reuse=reuse,
        takes_key=bool(key_argument),
        key_argument=key_argument,
        described=described,
    )
    return made
