"""The embedded interaction platform: takes dials and contact lists over HTTP and plays calls back as signed hooks."""

from sandbox.softphone.server import SoftphoneServer

__all__ = ["SoftphoneServer"]
