"""Contact lists: pulled from a CRM, decided member by member, on schedule or on demand."""
