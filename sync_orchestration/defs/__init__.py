"""What is synced: YAML only, one folder for each connection set or sync."""
