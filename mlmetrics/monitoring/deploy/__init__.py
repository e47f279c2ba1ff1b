"""Files that start the servers: Docker Compose and Kubernetes."""
