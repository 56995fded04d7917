"""From files of weights to named tensors, for a decoder that it knows nothing of."""
