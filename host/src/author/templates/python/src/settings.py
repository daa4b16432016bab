"""The settings that an operator writes into TOML, as the policy uses them."""

import re
from dataclasses import dataclass, field, fields

# The longest length of time that the contract can say, in milliseconds: 49 days.
LONGEST = 0xFFFF_FFFF
UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION = r"^(\d+(ms|s|m|h|d) ?)+$"


class Wrong(Exception):
    """All that is wrong with settings: pairs of a JSON Pointer and of what would be right."""

    def __init__(self, problems):
        super().__init__(problems)
        self.problems = problems


def duration(otherwise, about):
    """A setting that is a length of time, in milliseconds."""

    def read(value):
        if not isinstance(value, str) or not re.fullmatch(DURATION, value, re.ASCII):
            raise ValueError("write a length of time, such as \"30s\" or \"1h 30m\"")
        parts = re.findall(r"(\d+)(ms|s|m|h|d)", value)
        sum_of_parts = sum(int(count) * UNITS[unit] for count, unit in parts)
        if sum_of_parts > LONGEST:
            raise ValueError("write a length of time of 49 days at most")
        return sum_of_parts

    return setting(read, {"type": "string", "pattern": DURATION}, otherwise, about)


# @if fallback
def count(otherwise, about):
    """A setting that is a number of something."""

    def read(value):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError("write a whole number that is not negative")
        return value

    return setting(read, {"type": "integer", "minimum": 0}, otherwise, about)


def text(otherwise, about):
    """A setting that is a text."""

    def read(value):
        if not isinstance(value, str):
            raise ValueError("write a text")
        return value

    return setting(read, {"type": "string"}, otherwise, about)


# @end
def setting(read, schema, otherwise, about):
    """A setting: how it is read, its part of the JSON Schema, and its default."""
    described = {**schema, "default": otherwise, "description": about}
    return field(default=read(otherwise), metadata={"read": read, "schema": described})


@dataclass(frozen=True)
class Settings:
    # @if existence
    grace: int = duration("2m", "How long data may wait for its schema.")
    # @end
    # @if fallback
    checks: int = count(3, "How many checks must find the schema absent first.")
    schema: str = text("", "The default schema to publish; empty for the merge of what the peers have.")
    # @end
    # @if retry
    first: int = duration("1s", "The longest delay after the first failure.")
    longest: int = duration("1m", "The longest delay of all.")
    # @end


def read(given):
    """The settings of a JSON object. Raises `Wrong`."""
    known = {known.name: known for known in fields(Settings)}
    values, problems = {}, []
    for name, value in given.items():
        try:
            if name not in known:
                raise ValueError("there is no such setting")
            values[name] = known[name].metadata["read"](value)
        except ValueError as error:
            problems.append((pointer(name), str(error)))
    settings = Settings(**values)
    # @if retry
    if settings.first > settings.longest:
        problems.append(("/first", "this is more than `longest`"))
    # @end
    if problems:
        raise Wrong(problems)
    return settings


def pointer(name):
    """The JSON Pointer (RFC 6901) to a setting."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def schema():
    """The JSON Schema of the settings."""
    properties = {known.name: known.metadata["schema"] for known in fields(Settings)}
    return {"type": "object", "additionalProperties": False, "properties": properties}
