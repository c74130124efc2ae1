"""Sales orders and the outgoing invoices they become: to canonical, from canonical, and the
commands for them."""
