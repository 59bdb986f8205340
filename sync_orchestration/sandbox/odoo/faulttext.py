"""How an exception is written into an answer: name, message, arguments, context, and a traceback."""

from .errors import Json, OdooError

_FRAMES = (
    ("odoo/http.py", 2164, "_transactioning", "return service_model.retrying(func, env=self.env)"),
    ("odoo/service/model.py", 156, "retrying", "result = func()"),
    ("odoo/http.py", 2131, "_serve_ir_http", "response = self.dispatcher.dispatch(rule.endpoint, args)"),
    ("odoo/http.py", 2379, "dispatch", "result = self.request.registry['ir.http']._dispatch(endpoint)"),
    ("odoo/addons/base/models/ir_http.py", 333, "_dispatch", "result = endpoint(**request.params)"),
    ("odoo/http.py", 727, "route_wrapper", "result = endpoint(self, *args, **params_ok)"),
    ("odoo/http.py", 390, "dispatch_rpc", "return dispatch(method, params)"),
    ("odoo/service/model.py", 34, "dispatch", "threading.current_thread().dbname = db"),
    ("odoo/service/model.py", 62, "execute_kw", "return execute(db, uid, obj, method, *args, **kw or {})"),
    ("odoo/service/model.py", 69, "execute", "res = execute_cr(cr, uid, obj, method, *args, **kw)"),
    ("odoo/service/model.py", 53, "execute_cr", "result = retrying(partial(call_kw, recs, method, args), env)"),
    ("odoo/api.py", 517, "call_kw", "result = getattr(recs, name)(*args, **kwargs)"),
    ("addons/mail/models/mail_thread.py", 288, "create", "threads = super().create(vals_list)"),
)


def body_of(error: OdooError, version: int) -> dict[str, Json]:
    """Return the object that describes the exception; the traceback is for the server's own people."""
    http_error = error.name.startswith("werkzeug")
    arguments: list[Json] = [error.message, error.status] if http_error else [error.message]
    return {
        "name": error.name,
        "message": error.message,
        "arguments": arguments,
        "context": {},
        "debug": _traceback(error, version),
    }


def _traceback(error: OdooError, version: int) -> str:
    root = f"/opt/odoo/{version}.0"
    frames = "".join(
        f'  File "{root}/{path}", line {line}, in {function}\n    {code}\n' for path, line, function, code in _FRAMES
    )
    return f"Traceback (most recent call last):\n{frames}{error.name.removeprefix('builtins.')}: {error.message}\n"
