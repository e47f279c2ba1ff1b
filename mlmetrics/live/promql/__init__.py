"""Evaluates the part of PromQL that the dashboards and rules of mlmetrics use, over samples in memory."""
