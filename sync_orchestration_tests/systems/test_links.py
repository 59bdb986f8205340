"""People are led to a record's page in its system, and no log-in of ours goes with them."""

import pytest

from sync_orchestration.systems.links import alfresco_page, flexi_page, odoo_page


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (odoo_page("https://odoo.example/", "res.partner", "7"), "https://odoo.example/odoo/res.partner/7"),
        (odoo_page("https://odoo.example", "task", "7"), "https://odoo.example/odoo/m-task/7"),
        (odoo_page("https://odoo.example", "res.partner", "7/../1"), None),
        (flexi_page("https://f.example:5434", "a b", "adresar", "1/2"), "https://f.example:5434/c/a%20b/adresar/1%2F2"),
        (
            alfresco_page("https://a.example", "0a-1b", citeck=False),
            "https://a.example/share/page/document-details?nodeRef=workspace%3A%2F%2FSpacesStore%2F0a-1b",
        ),
        (
            alfresco_page("https://a.example", "workspace://SpacesStore/0a-1b", citeck=True),
            "https://a.example/v2/dashboard?recordRef=workspace%3A%2F%2FSpacesStore%2F0a-1b",
        ),
        (flexi_page("https://u:geheim@f.example/x?k=geheim", "c", "e", "1"), "https://f.example/x/c/c/e/1"),
    ],
)
def test_a_record_has_a_page(found: str | None, wanted: str | None) -> None:
    assert found == wanted
