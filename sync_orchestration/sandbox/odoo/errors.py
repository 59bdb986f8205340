"""Odoo's exceptions: the name a client sees, the HTTP status of JSON-2, and the texts of database errors."""

from typing import Any, ClassVar, Literal

Json = Any  # whatever json.loads returns
Row = dict[str, Json]


class OdooError(Exception):
    """An exception that reaches the client; `name` is the qualified Python name Odoo reports."""

    name: str = "builtins.Exception"
    status: ClassVar[int] = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UserError(OdooError):
    """The user asked for something that is not allowed."""

    name = "odoo.exceptions.UserError"
    status = 422


class ValidationError(UserError):
    """A Python or database constraint is violated."""

    name = "odoo.exceptions.ValidationError"


class AccessError(UserError):
    """The user has no right to do this, or a record rule hides the record."""

    name = "odoo.exceptions.AccessError"
    status = 403


class MissingError(UserError):
    """The record does not exist (any more)."""

    name = "odoo.exceptions.MissingError"
    status = 404

    @classmethod
    def of(cls, model: str, row_id: int, uid: int) -> "MissingError":
        return cls(f"Record does not exist or has been deleted.\n(Record: {model}({row_id},), User: {uid})")


class AccessDeniedError(UserError):
    """Login or password is wrong."""

    name = "odoo.exceptions.AccessDenied"
    status = 403

    def __init__(self) -> None:
        super().__init__("Access Denied")


class WrongValueError(OdooError):
    """Python's ValueError, raised by Odoo for unknown fields and values of the wrong kind."""

    name = "builtins.ValueError"


class WrongCallError(OdooError):
    """Python's TypeError, raised for missing and unknown parameters."""

    name = "builtins.TypeError"


class NoSuchMethodError(OdooError):
    """Python's AttributeError, raised for unknown methods."""

    name = "builtins.AttributeError"


class NoSuchServiceError(OdooError):
    """Python's KeyError, raised for unknown RPC services."""

    name = "builtins.KeyError"


class NoSuchDatabaseError(OdooError):
    """PostgreSQL cannot be reached, or has no such database."""

    name = "psycopg2.OperationalError"


class PoolExhaustedError(OdooError):
    """All database connections of the Odoo process are taken."""

    name = "psycopg2.pool.PoolError"


class BadInputError(OdooError):
    """PostgreSQL cannot read the value as the type of the column."""

    name = "psycopg2.errors.InvalidTextRepresentation"


class NotFoundError(OdooError):
    """werkzeug's 404, for the JSON-2 route."""

    name = "werkzeug.exceptions.NotFound"
    status = 404


class UnprocessableError(OdooError):
    """werkzeug's 422, for calls of JSON-2 that do not fit the method's signature."""

    name = "werkzeug.exceptions.UnprocessableEntity"
    status = 422


class UnauthorizedError(OdooError):
    """werkzeug's 401, for JSON-2 without a usable key."""

    name = "werkzeug.exceptions.Unauthorized"
    status = 401


class BadRequestError(OdooError):
    """werkzeug's 400, for JSON-2 bodies that are no JSON object."""

    name = "werkzeug.exceptions.BadRequest"
    status = 400


class PythonError(OdooError):
    """Any other Python exception: Odoo answers with its qualified name, too."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.name = f"builtins.{type(error).__name__}"


class DatabaseError(Exception):
    """PostgreSQL refused a statement; Odoo words it differently per road (RPC, ``load``) and version."""

    def __init__(
        self,
        kind: Literal["check", "unique", "not_null", "foreign_key", "serialization"],
        *,
        model: str,
        description: str,
        constraint: str = "",
        text: str = "",
        field: tuple[str, str] = ("", ""),
        own_table: bool = True,
    ) -> None:
        super().__init__(text or constraint)
        self.kind = kind
        self.model = model
        self.description = description
        self.constraint = constraint
        self.text = text
        self.field = field
        self.own_table = own_table

    def as_validation_error(self, version: int) -> ValidationError:
        """Return what create, write and unlink answer with."""
        if self.kind == "not_null":
            return ValidationError(self._not_null(version))
        if self.kind == "foreign_key":
            return ValidationError(
                "The operation cannot be completed: another model requires the record being deleted."
                " If possible, archive it instead.\n\n"
                f"Model: {self.description} ({self.model})\nConstraint: {self.constraint}\n"
            )
        return ValidationError(f"The operation cannot be completed: {self.text}")

    def as_import_message(self, version: int) -> dict[str, str]:
        """Return what ``load`` puts on the row: the text, and the field where the database names one."""
        if self.kind == "serialization":
            return {"message": self.text}
        if self.kind == "not_null":
            label, name = self.field[1], self.field[0]
            if version >= 19:
                return {"message": self._not_null(version), "field": name}
            return {"message": f"Missing required value for the field '{label}' ({name})", "field": name}
        if version >= 19:
            return {"message": self.as_validation_error(19).message if self.kind == "foreign_key" else self.text}
        if self.kind != "check":
            return {"message": self.text}
        # 18.0 knows the texts of the constraints of the loaded model only, and puts them in quotes.
        return {"message": f"'{self.text}'" if self.own_table else self._raw()}

    def _not_null(self, version: int) -> str:
        name, label = self.field
        if version >= 19:
            return (
                f"Missing required value for the field '{label}' ({name}).\n"
                f"Model: '{self.description}' ({self.model})\n"
                "- create/update: a mandatory field is not set\n"
                "- delete: another model requires the record being deleted, you can archive it instead\n"
            )
        return (
            "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n"
            "- Delete: another model requires the record being deleted. If possible, archive it instead.\n\n"
            f"Model: {self.description} ({self.model})\nField: {label} ({name})\n"
        )

    def _raw(self) -> str:
        table = self.model.replace(".", "_")
        return f'new row for relation "{table}" violates check constraint "{self.constraint}"\n'
