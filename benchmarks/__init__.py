"""Speed and size against a peer or a plainer way, interleaved in one run. `make bench` runs all."""
