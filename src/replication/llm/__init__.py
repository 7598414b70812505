"""A real language model: load it, draw responses, search for the likeliest ones, score them."""
