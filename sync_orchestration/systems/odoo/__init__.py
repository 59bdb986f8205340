"""Odoo 18 and 19: one client for both RPC dialects, and the Target that writes records of a model."""
