"""Settings declared once: as attributes of the dataclass with their values.

```python
page_size: int = setting(kinds.whole(1, 100_000), "Rows fetched by one request.", default=10_000)
```

Name, kind, default and description stand there and nowhere else. The configuration is read by
them, and JSON Schema, `meltano.yml` and the tables of docs/settings.md are made from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

if TYPE_CHECKING:
    from tap_supermetrics.model.kinds import Kind

T = TypeVar("T")

_METADATA: Final = "setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One declared setting.

    Attributes:
        name: its key in the configuration; empty where that is the name of the attribute.
        attribute: where its value is.
        kind: what its value must be.
        description: one or two sentences for people.
        default: what is read when it is not given, as a person would write it; None for nothing.
        unset: the value when it is not given and has no default.
        is_required: whether it must be given.
        is_passed_on: whether the API is sent its value as it is, by its name.
        in_meltano: what Meltano gives where the user gives nothing; empty for the default.
    """

    name: str
    attribute: str
    kind: Kind[Any]
    description: str
    default: Any
    unset: Any
    is_required: bool
    is_passed_on: bool
    in_meltano: str

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the setting, with its description and default."""
        described = {**self.kind.schema, "description": self.description}
        return described if self.default is None else {**described, "default": self.default}

    @property
    def usual(self) -> Any:  # noqa: ANN401 - of the setting's kind
        """Return its value where it is not given."""
        return self.unset if self.default is None else self.kind.read(self.default)


@overload
def setting(
    kind: Kind[T], description: str, *, required: Literal[True], name: str = ..., unset: None = ...
) -> T: ...
@overload
def setting(kind: Kind[T], description: str, *, default: object, name: str = ...) -> T: ...
@overload
def setting(kind: Kind[T], description: str, *, unset: T, name: str = ...) -> T: ...
@overload
def setting(
    kind: Kind[T], description: str, *, passed_on: bool = ..., in_meltano: str = ...
) -> T | None: ...
def setting(  # noqa: PLR0913 - a declaration is read by its words
    kind: Kind[Any],
    description: str,
    *,
    default: object = None,
    unset: object = None,
    required: bool = False,
    passed_on: bool = False,
    in_meltano: str = "",
    name: str = "",
) -> Any:
    """Declare an attribute of a dataclass as a setting.

    Args:
        kind: what a value must be, and which type it then has.
        description: one or two sentences for people.
        default: what is read when it is not given, as a person would write it.
        unset: the value when it is not given, for a setting without a default to show.
        required: whether it must be given.
        passed_on: whether the API is sent the value as it is, by its name.
        in_meltano: what Meltano gives where the user gives nothing, if that is another default.
        name: its key in the configuration, where the attribute has another name.
    """
    declared = Setting(
        name=name,
        attribute="",
        kind=kind,
        description=description,
        default=default,
        unset=unset,
        is_required=required,
        is_passed_on=passed_on,
        in_meltano=in_meltano,
    )
    metadata = {_METADATA: declared}
    if required:
        return field(repr=not kind.is_secret, metadata=metadata)
    # Read once, when the class is made: a default that is of another kind ends every start.
    value = declared.usual
    # A factory, as dataclasses refuse defaults that can be changed, such as `{}`.
    return field(repr=not kind.is_secret, default_factory=lambda: value, metadata=metadata)


def declared(cls: type) -> tuple[Setting, ...]:
    """Return the settings that are declared in a dataclass and its bases, in order."""
    return tuple(
        replace(each, name=each.name or attribute.name, attribute=attribute.name)
        for attribute in fields(cls)
        if (each := attribute.metadata.get(_METADATA))
    )
