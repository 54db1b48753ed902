"""What puts load on a server: processes of their own, so that they never take the server's time."""
