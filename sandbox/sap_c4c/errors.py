"""How C4C refuses: an OData error, as JSON or as XML."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape


class Refused(Exception):
    """A request that is refused. `field` is the property that is to blame."""

    def __init__(self, status: int, text: str, code: str = "", field: str = "") -> None:
        self.status, self.text, self.code, self.field = status, text, code or "OData/400", field
        super().__init__(text)

    def body(self, as_json: bool) -> tuple[str, bytes]:
        """The content type and the body."""
        if not as_json:
            return "application/xml; charset=utf-8", (
                '<?xml version="1.0" encoding="utf-8"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/'
                f'dataservices/metadata"><code>{escape(self.code)}</code><message xml:lang="en">{escape(self.text)}'
                "</message></error>"
            ).encode()
        error: dict[str, object] = {"code": self.code, "message": {"lang": "en", "value": self.text}}
        if self.field:
            detail = {"code": self.code, "message": self.text, "propertyref": self.field, "severity": "error"}
            error["innererror"] = {"errordetails": [detail]}
        return "application/json; charset=utf-8", json.dumps({"error": error}).encode()
