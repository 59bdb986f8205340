"""From a source's record to a target's values: field mappings, transforms, rules, conditions, differences.

Everything here is a pure function of its arguments: no network, no database, no vendor, no Dagster.
Configuration is compiled once (``compile.compile_mapping``, ``conditions.compile_condition``) and applied
to many records. Faults of the configuration raise ``errors.MappingError`` when compiling; faults of the
data never raise, they become ``records.RecordError`` of the record concerned.
"""
