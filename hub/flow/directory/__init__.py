"""The customer directory: who has which number and address, pulled from the CRMs and kept where it answers at once."""
