"""From logits to a token: named stages in one visible order, then one draw."""
