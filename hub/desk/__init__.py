"""What a person at a phone asks now: screen pop and click-to-dial."""
