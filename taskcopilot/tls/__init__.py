"""What the ports show to prove who they are: certificates and keys, their checks, and their renewal."""
