"""The record browser: every row of every sync, what is wrong with it, and a few buttons, for people who log in."""
