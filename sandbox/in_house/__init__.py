"""An in-house CRM as many companies have one: customers, calls and segments, behind a web service of its own making.

It is nobody's product. It shows what the connectors `rest` and `soap` are given, and judges them: its habits are those that
such systems have (cursors, a token that ends, errors with codes of its own, merged customers).
"""

from sandbox.in_house.books import Books, Refused
from sandbox.in_house.rest import InHouseSandbox

__all__ = ["Books", "InHouseSandbox", "Refused"]
