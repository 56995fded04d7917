"""The cache's book-keeping: which block belongs to whom. Integers only, no tensors."""
