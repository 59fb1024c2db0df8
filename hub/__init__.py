"""Patchbay's core: messages between interaction platforms and CRMs. No vendor's name is in here."""
