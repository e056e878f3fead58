"""A loopback server with MetaApi's REST paths over books of the matching engine.

Written from the service's documents and not from the product's adapter, so that a shared mistake
cannot hide; of the product it knows the pure domain only. `MetaApiServer` is the way in.
"""
