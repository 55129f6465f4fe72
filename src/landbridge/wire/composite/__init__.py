"""The Composite family: several requests, records or trees in one call. `/services/data/vXX.X/composite`."""

from landbridge.wire.composite import batch, collections, composite, graph, tree

ROUTES = (*composite.ROUTES, *batch.ROUTES, *collections.ROUTES, *tree.ROUTES, *graph.ROUTES)

__all__ = ["ROUTES"]
