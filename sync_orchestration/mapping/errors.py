"""What can be wrong with a mapping's configuration."""


class MappingError(ValueError):
    """The configuration is wrong. The message says where, and what is allowed there."""


class TransformError(ValueError):
    """A transform cannot make anything of one value. The message names the transform and the value."""
