"""Interaction platforms: the systems that carry calls, mails and chats."""
