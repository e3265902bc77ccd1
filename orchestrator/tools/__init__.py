"""What agents may do to the world, each tool with its risk, policy and schema."""
