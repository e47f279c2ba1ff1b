"""Requests as they are recorded, and metrics as they are served."""
