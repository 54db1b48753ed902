"""Events to HTTP endpoints of others, signed by the Standard Webhooks specification."""
