"""A local Chargebee site: API v2 with product catalog 2.0, in memory, for tests and the demo."""
