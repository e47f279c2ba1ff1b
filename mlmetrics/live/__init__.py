"""The live page: what services expose at this moment, evaluated by the queries of the dashboards and of the rules."""
