"""What people do in a real browser, on the real services; `make test-browser` runs it, `make test` does not."""
