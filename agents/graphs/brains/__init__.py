"""How agents think: implementations of `ports.Brain`."""
