"""What happened, as typed records in one chain per aggregate."""
