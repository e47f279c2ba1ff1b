"""What tokens cost: prices of the project's own, and those of genai-prices if it is installed."""
