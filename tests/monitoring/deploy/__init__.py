"""Containers and manifests, against the schemas of their formats."""
