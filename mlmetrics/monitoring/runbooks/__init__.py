"""Runbooks of a project: the pages of the alerts that are rendered for it, those of its own operations included."""
