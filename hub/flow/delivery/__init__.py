"""Delivery: what waits in the outbox is claimed, rendered, written, and judged."""
