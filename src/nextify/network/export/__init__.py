"""A network as a file for another runtime: rebuilt of plain operators, folded, traced, checked."""
