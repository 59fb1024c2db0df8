"""What every stand-in of a vendor has: a server on loopback, TLS by an authority of its own, and faults to switch on.

A sandbox is a class with the few members of `Sandbox`; `sandbox.frame.served.serving` runs one, and
`sandbox.frame.command.run` makes it a command.
"""

from sandbox.frame.faults import FAULTS, Faults
from sandbox.frame.served import Sandbox, Served, serving

__all__ = ["FAULTS", "Faults", "Sandbox", "Served", "serving"]
