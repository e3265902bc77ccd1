"""A graph that asks as the first Agent Inbox was asked, and then calls what it may."""

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt
from lines import MODEL, burn, send


def think(state: MessagesState):
    return {"messages": [MODEL.invoke(state["messages"])]}


def review(state: MessagesState):
    last = state["messages"][-1]
    call = last.tool_calls[0]
    asked = {
        "action_request": {"action": call["name"], "args": call["args"]},
        "config": {"allow_ignore": True, "allow_respond": True, "allow_edit": True, "allow_accept": True},
        "description": "The agent wants to do this.",
    }
    answer = interrupt([asked])[0]
    if answer["type"] == "accept":
        return {}
    if answer["type"] == "edit":
        changed = answer["args"]
        call = {**call, "name": changed["action"], "args": changed["args"]}
        return {"messages": [AIMessage(last.content, id=last.id, tool_calls=[call])]}
    words = "ignored" if answer["type"] == "ignore" else f"they said: {answer['args']}"
    return {"messages": [AIMessage(words, id=last.id, tool_calls=[])]}


def onward(state: MessagesState):
    return "act" if state["messages"][-1].tool_calls else END


builder = StateGraph(MessagesState)
builder.add_node("think", think)
builder.add_node("review", review)
builder.add_node("act", ToolNode([send, burn]))
builder.add_edge(START, "think")
builder.add_edge("think", "review")
builder.add_conditional_edges("review", onward, ["act", END])
builder.add_edge("act", END)
graph = builder.compile()
