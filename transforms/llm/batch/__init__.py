"""Requests that a provider's batch API answers: what is sent, what became of it, and how a kill leaves both intact."""
