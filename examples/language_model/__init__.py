"""A small server that speaks OpenAI's protocol on loopback, and answers with what stands in the prompt."""
