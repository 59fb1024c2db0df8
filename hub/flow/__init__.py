"""The road of messages: accept, outbox, deliver; schedules; contact lists."""
