"""A graph whose tool node makes all calls of a message in one task, and would tell the model of any error."""

from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from lines import MODEL, burn, send


def think(state: MessagesState):
    return {"messages": [MODEL.invoke(state["messages"])]}


def graph():
    made = StateGraph(MessagesState)
    made.add_node("think", think)
    made.add_node("act", ToolNode([send, burn], handle_tool_errors=True))
    made.add_edge(START, "think")
    made.add_edge("think", "act")
    made.add_edge("act", END)
    return made
