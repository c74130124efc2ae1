"""Products and their groups: to canonical, from canonical, and the commands for them."""
