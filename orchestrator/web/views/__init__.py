"""One module a screen: request in, response out."""
