"""A worker that publishes a report, if a person lets it."""

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.graphs.inputs import PublicationDraft
from agents.graphs.ports import AgentContext
from agents.graphs.states import WorkerState

Context = Runtime[AgentContext]


def publish(state: WorkerState, runtime: Context) -> WorkerState:
    """Ask to publish, and say how it went."""
    context = runtime.context
    draft = PublicationDraft.model_validate(state["report"])
    context.voice.say(f"Wants to publish “{draft.title}” as {draft.file_name}")
    done = context.tools.call(
        "publish_report",
        {"file_name": draft.file_name, "title": draft.title, "content": draft.content},
        key="publish",
        intent=f"I want to put the report “{draft.title}” into the outbox, so that people can take it from there.",
    )
    if "refused" in done:
        context.voice.say(f"Finished without publishing: {done['refused']}")
        result = {"published": False, "reason": done["refused"]}
    else:
        context.voice.say(f"Published as {done['file_name']}")
        result = {"published": True, **done}
    return {
        "task_execution": {"assigned_tasks": [draft.title], "progress": 1.0},
        "coordination": {"self_check": {"published": result["published"]}},
        "result": result,
    }


def build() -> StateGraph[WorkerState, AgentContext, WorkerState, WorkerState]:
    """The publisher's graph."""
    graph = StateGraph(WorkerState, context_schema=AgentContext)
    graph.add_node("publish", publish)
    graph.add_edge(START, "publish")
    graph.add_edge("publish", END)
    return graph
