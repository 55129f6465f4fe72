"""Leads a program's Salesforce hosts to an org: a loopback proxy, and the environment that points at it."""

from landbridge.proxy.environment import Authorities, child
from landbridge.proxy.gate import Gate
from landbridge.proxy.leads import Here, Lead, Port, There

__all__ = ["Authorities", "Gate", "Here", "Lead", "Port", "There", "child"]
