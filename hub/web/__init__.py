"""The only rooms that know HTTP: hooks, API, start page, the embedded CRM's pages."""
