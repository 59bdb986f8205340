"""The outside systems, one module or package each. ``http.py`` is the one place that sends a request."""
