"""CRMs and ERPs: the systems that know the customer."""
