"""What the load tests are made of: many cheap listeners, a writer that keeps a rate, and looks at a process."""
