"""Products, which are items with their item prices: to canonical, from canonical, and the commands
for them."""
