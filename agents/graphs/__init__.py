"""The graphs of the four levels. They see tools, memory and children only through `ports`."""
