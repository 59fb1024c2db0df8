"""The one declarative language: paths, conditions, converters, fields, examples."""
