"""Benchmarks: what landing costs beside its bare steps, what writing asks of Odoo. Never run as tests."""
