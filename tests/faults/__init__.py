"""The fault campaign: people edit both systems while everything between them breaks, and an oracle
that shares no code with the product judges what is left."""
