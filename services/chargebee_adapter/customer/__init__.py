"""Customers: to canonical, from canonical, and the commands for them."""
