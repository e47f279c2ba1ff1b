"""Agents, and the tools that they use."""

from mlmetrics.catalog.operation import Operation

TOOL = Operation("tool", ("tool",), "tool")
AGENT = Operation("agent", ("agent",), "agent")
