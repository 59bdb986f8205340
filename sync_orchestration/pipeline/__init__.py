"""The one movement of every sync: read, land, look up, map, write, settle. No vendor and no Dagster in here."""
