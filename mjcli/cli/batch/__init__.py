"""The file of `mj batch`: its lines, and the orders that they stand for."""
