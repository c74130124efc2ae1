"""Chargebee (API v2, Product Catalog 2.0): readings into canonical events, commands into writes."""
