"""The link-and-merge work of `benchmarks.peers` on Quix Streams, in an environment of its own."""
