"""A PowerOffice Go v2 server on loopback: the API's shapes and rules with its data in memory.

Where the vendor's sources are silent, one default is chosen and kept as a switch in
`settings.Settings`.
"""
