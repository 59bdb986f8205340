"""Where a record is seen by a person: its page in the user interface of its system."""

from urllib.parse import quote, urlsplit


def odoo_page(url: str, model: str, record_id: str) -> str | None:
    """Return the form of a record in Odoo 18 and 19; None for what is no id.

    The router of their web client takes a model as it is where its name has a dot, and with `m-` before it otherwise
    (addons/web, router.js).
    """
    if not record_id.isdecimal():
        return None
    name = model if "." in model else f"m-{model}"
    return f"{_server(url)}/odoo/{quote(name, safe='')}/{record_id}"


def flexi_page(url: str, company: str, evidence: str, record_id: str) -> str:
    """Return the page of a record that Flexi's REST API shows to a browser."""
    return f"{_server(url)}/c/{quote(company, safe='')}/{quote(evidence, safe='')}/{quote(record_id, safe='')}"


def alfresco_page(url: str, node_id: str, *, citeck: bool) -> str:
    """Return the page of a node in Alfresco Share, or its dashboard in Citeck."""
    reference = quote(node_id if "://" in node_id else f"workspace://SpacesStore/{node_id}", safe="")
    path = f"/v2/dashboard?recordRef={reference}" if citeck else f"/share/page/document-details?nodeRef={reference}"
    return _server(url) + path


def _server(url: str) -> str:
    """Return an address without the log-in that may stand in it, which no page may show."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")
