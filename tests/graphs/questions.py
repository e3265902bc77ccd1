"""A graph that asks an open question, whose answer has a form."""

from dataclasses import dataclass
from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import BaseModel, field_validator


class Choice(BaseModel):
    colour: str
    copies: int

    @field_validator("copies")
    @classmethod
    def even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("they are printed on both sides")
        return value


@dataclass
class Context:
    language: str = "English"


class State(TypedDict, total=False):
    about: str
    chosen: dict


def choose(state: State, runtime: Runtime[Context]):
    asked = {"question": f"Which colour for {state['about']}?", "language": runtime.context.language}
    answer = interrupt(asked, response_schema=Choice)
    return {"chosen": {"colour": answer.colour, "copies": answer.copies}}


graph = StateGraph(State, context_schema=Context)
graph.add_node("choose", choose)
graph.add_edge(START, "choose")
graph.add_edge("choose", END)
