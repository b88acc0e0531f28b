"""The exceptions that nopickle raises: one class per answer to "who has to act?".

All of them derive from :class:`NopickleError`. Errors of the operating system stay ``OSError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "InvalidInputError",
    "LimitExceededError",
    "MalformedModelError",
    "MlflowException",
    "NopickleError",
    "UnsupportedModelError",
    "UnsupportedTypeError",
    "UntrustedTypesError",
    "UnverifiedModelError",
]


class NopickleError(Exception):
    """The base of all exceptions of nopickle."""


class MalformedModelError(NopickleError, ValueError):
    """The bytes break the rules of their own format: get the file again."""


class UnsupportedModelError(NopickleError, ValueError):
    """The file is well formed and holds something that this nopickle, or the installed libraries, can't read."""


class LimitExceededError(NopickleError, ValueError):
    """The model is larger than this load may be: raise a limit."""


class UnverifiedModelError(NopickleError, ValueError):
    """Every name is trusted, and a value breaks a rule that native code relies on.

    Get the file again; someone may have changed it.
    """


class UntrustedTypesError(NopickleError, TypeError):
    """The policy refuses names that the model asks for: decide on them.

    Attributes
    ----------
    names : list of str
        All refused names, sorted. Pass those that you have looked at as ``trusted``.
    """

    def __init__(self, names: Iterable[str], message: str | None = None) -> None:
        self.names = list(names)
        if message is None:
            message = "untrusted names: " + ", ".join(self.names)
        listed = ", ".join(repr(name) for name in self.names)
        super().__init__(
            f"{message}\n"
            f"hint: look at each of these names; to load the model with them, pass trusted=[{listed}]"
        )

    def __reduce__(self) -> tuple[type[UntrustedTypesError], tuple[list[str], str]]:
        return type(self), (self.names, str(self).partition("\nhint: ")[0])


class UnsupportedTypeError(NopickleError, TypeError):
    """An object can't be saved in this format; the message says why."""


class MlflowException(NopickleError):
    """An error of the functions that have MLflow's names.

    Attributes
    ----------
    message : str
        What went wrong.
    error_code : str
        MLflow's name for the kind of error, such as ``"INVALID_PARAMETER_VALUE"`` or ``"RESOURCE_DOES_NOT_EXIST"``.
    """

    def __init__(self, message: object, error_code: str = "INTERNAL_ERROR") -> None:
        self.message = str(message)
        self.error_code = error_code
        super().__init__(self.message)

    def __reduce__(self) -> tuple[type[MlflowException], tuple[str, str]]:
        return type(self), (self.message, self.error_code)

    @classmethod
    def invalid_parameter_value(cls, message: object) -> MlflowException:
        """Make an exception for an argument that cannot be taken."""
        return cls(message, "INVALID_PARAMETER_VALUE")


class InvalidInputError(MlflowException, ValueError):
    """Inputs or parameters that do not fit a model's signature; the message names the column and both types."""

    def __init__(self, message: object, error_code: str = "INVALID_PARAMETER_VALUE") -> None:
        super().__init__(message, error_code)
