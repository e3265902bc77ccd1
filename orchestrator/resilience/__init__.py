"""What keeps calls of models and tools going when the other side does not: tries, breakers, rates."""
