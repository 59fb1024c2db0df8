"""The embedded CRM's tables and statements."""
