"""Connectors that are made by configuration alone: what a profile says of objects, look-ups, writing and lists.

How a system is asked differs (REST, SOAP, SQL) and is the connector's own, as `Asks`; everything else is here once.
"""
