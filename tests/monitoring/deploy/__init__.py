"""Tests of the Compose file and of the Kubernetes manifests."""
