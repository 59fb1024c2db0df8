"""Intake: events become durable, fold into facts, and make deliveries."""
