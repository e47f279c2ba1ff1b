"""Adding the monitoring to somebody else's project: what is found there, what is proposed, what is written."""
