"""The API's blueprints, one room each; all are served under /api/v1."""
