"""Orders, and invoices that are the sales: to canonical, from canonical, and the commands for
them."""
