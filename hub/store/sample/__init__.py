"""A thousand sample people for the embedded CRM."""
