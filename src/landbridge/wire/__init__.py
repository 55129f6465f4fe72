"""Protocols, as thin translators: what comes in is handed down, what comes back is formatted."""
