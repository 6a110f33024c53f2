"""What the types and the categories of messages are called for people."""


def type_label(value: str) -> str:
    """The name of a type of message."""
    return value


def category_label(value: str) -> str:
    """The name of a category of messages."""
    return value
