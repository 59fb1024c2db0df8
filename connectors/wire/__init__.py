"""Wire formats that several connectors speak: canonical events, CloudEvents, Standard Webhooks."""
