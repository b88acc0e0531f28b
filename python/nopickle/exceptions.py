"""The exceptions that nopickle raises: one class per answer to "who has to act?".

All of them derive from :class:`NopickleError`. Errors of the operating system stay ``OSError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "InvalidArgumentError",
    "InvalidInputError",
    "LimitExceededError",
    "MalformedModelError",
    "MlflowException",
    "NopickleError",
    "PolicyError",
    "RefusedPickleError",
    "ResourceExistsError",
    "ResourceNotFoundError",
    "StoreError",
    "TrackingServerError",
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


class PolicyError(NopickleError, ValueError):
    """The policy file can't be read or breaks a rule, so nothing is loaded: mend it."""


class LimitExceededError(NopickleError, ValueError):
    """The model is larger than this load may be: raise a limit."""


class UnverifiedModelError(NopickleError, ValueError):
    """A value breaks a rule that native code relies on, or a model is not what was signed.

    Get the file again; someone may have changed it.
    """


class UntrustedTypesError(NopickleError, TypeError):
    """The policy refuses names that the model asks for: decide on them.

    Attributes
    ----------
    names : list of str
        All refused names, sorted. Pass those that you have looked at as ``trusted``.
    entries : str
        The lines of a policy file that would grant them; empty where they are not known.
    """

    def __init__(
        self,
        names: Iterable[str],
        message: str | None = None,
        argument: str = "trusted",
        entries: str = "",
        policy: str | None = None,
    ) -> None:
        self.names = list(names)
        self.entries = entries
        self._argument = argument
        self._policy = policy
        if message is None:
            message = "untrusted names: " + ", ".join(self.names)
        self._message = message
        listed = ", ".join(repr(name) for name in self.names)
        hint = "hint: look at each of these names; to load the model with them, "
        # A policy that arguments do not add to is the one place left.
        if policy is None:
            hint += f"pass {argument}=[{listed}]"
        if entries:
            joint = "" if policy is not None else ", or "
            hint += f"{joint}add to {policy or 'a policy'}:\n{entries.rstrip()}"
        super().__init__(f"{message}\n{hint}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.names, self._message, self._argument, self.entries, self._policy)


class RefusedPickleError(UntrustedTypesError):
    """The guard refuses a name that an unpickler of this process asks for: see :mod:`nopickle.guard`.

    Where MLflow is imported, it is an ``mlflow.exceptions.MlflowException`` too, with the ``error_code``
    ``INVALID_PARAMETER_VALUE``.
    """

    def __init__(self, names: Iterable[str], message: str) -> None:
        self.names = list(names)
        self._refusal = message
        entries = "; ".join(f'[[functions]] name = "{name}"' for name in self.names)
        NopickleError.__init__(
            self,
            f"{message}\n"
            "hint: save the model again without pickle (serialization_format='skops'); or, if you trust "
            f"who made it, grant the name in the policy ({entries}), or allow pickles "
            "(MLFLOW_ALLOW_PICKLE_DESERIALIZATION=true)",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return RefusedPickleError, (self.names, self._refusal)


class UnsupportedTypeError(NopickleError, TypeError):
    """An object can't be saved in this format; the message says why."""


class MlflowException(NopickleError):
    """A run, a model, a store or a server could not do what was asked.

    Attributes
    ----------
    message : str
        What happened, where, and what to do next.
    error_code : str
        The kind of error in MLflow's words, such as ``"RESOURCE_DOES_NOT_EXIST"`` or
        ``"INVALID_PARAMETER_VALUE"``.
    """

    def __init__(self, message: object, error_code: str = "INTERNAL_ERROR", **kwargs: Any) -> None:
        self.message = str(message)
        self.error_code = str(error_code)
        self.json_kwargs = kwargs
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.error_code)

    @classmethod
    def invalid_parameter_value(cls, message: str, **kwargs: Any) -> MlflowException:
        """Make the exception for an argument that breaks a rule."""
        return cls(message, error_code="INVALID_PARAMETER_VALUE", **kwargs)


class InvalidArgumentError(MlflowException, ValueError):
    """A name, an id, a URI, a filter or another argument breaks a rule: change the argument."""


class ResourceNotFoundError(MlflowException, LookupError):
    """There is no such run, experiment, model, version, alias or artifact."""

    def __str__(self) -> str:
        return self.message


class ResourceExistsError(MlflowException):
    """The name is taken."""


class TrackingServerError(MlflowException):
    """The tracking server can't be reached, refuses, or failed; the message has the status."""


class StoreError(MlflowException, OSError):
    """The embedded store, its disk or an object store failed; ``errno`` says why where the system told."""

    def __str__(self) -> str:
        return self.message


class InvalidInputError(MlflowException, ValueError):
    """Inputs or parameters that do not fit a model's signature; the message names the column and both types."""

    def __init__(self, message: object, error_code: str = "INVALID_PARAMETER_VALUE") -> None:
        super().__init__(message, error_code)
