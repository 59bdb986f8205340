"""Any REST API by configuration: a list of records as a Source, a collection that is written to as a Target."""
