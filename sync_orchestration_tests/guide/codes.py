"""What each code of a row means and what to do: the one list beside the code that raises them; a test compares both."""

from collections.abc import Mapping

STATUSES: Mapping[str, str] = {
    "pending": "Landed, and waits to be written. The next run of the sync takes it.",
    "processing": "A worker writes it at this moment. When the worker dies, it is pending again.",
    "processed": "Written, deleted, or found in the target as wanted already.",
    "failed": "Could not be written; code, field and message say why. With `next_attempt_at` it is tried again by "
    "itself, without it waits for a person or a newer change.",
    "skipped": "Does not take part; the message says why. This is no failure.",
}

_SOURCE = "Mend the record in the source; its change brings it again."
_ITSELF = "None: it is tried again by itself."
_RETRY = "Mend it there, then `retry`."

FAILED: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Before anything is sent": {
        "required": ("A rule of the sync: the field must have a value.", _SOURCE),
        "email": ("A rule of the sync: no e-mail address.", _SOURCE),
        "max_length": ("A rule of the sync: too long.", f"{_SOURCE} Or let the mapping `truncate` it."),
        "range": ("A rule of the sync: the number is too small or too large.", _SOURCE),
        "format": ("A rule of the sync: not of the wanted form. Or the record is no object with fields.", _SOURCE),
        "not_allowed": ("A rule of the sync: none of the allowed values.", _SOURCE),
        "transform": ("A step of the mapping cannot read the value.", f"{_SOURCE} Or change the mapping."),
        "unknown_reference": (
            "The target has no such related record, e.g. a country.",
            "Create it there, then `retry`; or `create: true` in the mapping.",
        ),
        "waits_for_record": (
            "Another record of this sync, which it names, is not written yet.",
            "None: it follows by itself. `explain` the other one if it does not.",
        ),
        "already_linked": (
            "Its key gives the external id that another record of this sync has, e.g. `AB 1` and `AB_1`.",
            "Change one of the keys in the source, or delete one of the two; then `retry`.",
        ),
        "delete_held": (
            "The guard against floods of deletes holds it.",
            "If the deletes are right: `retry SYNC --confirm-deletes`.",
        ),
    },
    "Refused by the target": {
        "refused": ("The target refused the record, in the words of the message.", "Mend what the message names."),
        "ambiguous_match": ("Several existing records fit.", "Merge them in the target, then `retry`."),
        "concurrent_update": ("Somebody wrote the same record at the same time.", _ITSELF),
        "conflict": ("A REST API answered 409.", "Mend what the message names, then `retry`."),
        "forbidden": ("The user may not write or read this record (403, 407, a rule).", f"Give it the right. {_RETRY}"),
        "integrity": ("Alfresco's rules refuse the change.", "Mend what the message names."),
        "invalid": ("Alfresco does not take these values (400).", "Mend what the message names."),
        "locked": ("The node is locked, or was changed at the same time.", _ITSELF),
        "not_taken": (
            "Alfresco or Citeck answered with success, but the node holds another value: the property is protected, or "
            "not in the model.",
            "The property that the message names: unprotect it, or take it out of the mapping.",
        ),
        "vanished": ("The node no longer exists.", "None; the next sweep does not find it any more."),
    },
    "Answers that leave a doubt": {
        "server_error": ("A REST API failed at the record (5xx, 408, 425).", _ITSELF),
        "no_outcome": (
            "A class of your own (`kind: python`) told nothing of this record; it may have been written.",
            "Mend the class; then see whether the record is there, and `retry`.",
        ),
        "no_answer": (
            "The answer to a create was lost. The record is looked for by its key before it is sent again.",
            _ITSELF,
        ),
        "in_doubt": (
            "The answer to a create was lost, and the API can neither be asked for the key nor sent the same again.",
            "Look in the target; delete the record if it is there, then `retry`. Set `find` if the API can be asked.",
        ),
        "no_id": (
            "The API answered a success without the id of the record, or listed one without.",
            "`id_field` of the target, then `retry`.",
        ),
        "not_understood": (
            "The API answered a success with a page or something else that is no record.",
            "`record`, `id_field`, or the address; then `retry`.",
        ),
        "not_json": ("A number of the record cannot be written as JSON.", _SOURCE),
        "bad_id": ("An id or key cannot be part of a path.", "Change the key in the source, or the path in the YAML."),
    },
    "Numbers for a register": {
        "not_a_number": ("The field holds no number of the kind.", _SOURCE),
        "wrong_kind": ("It holds a number of another kind, e.g. an OGRN.", _SOURCE),
        "wrong_length": ("It has too few or too many digits.", _SOURCE),
        "bad_check_digit": ("Its check digit is wrong.", _SOURCE),
        "two_numbers": ("It holds more than one number.", _SOURCE),
        "ambiguous": ("Several bodies share the number.", "Store the OGRN of the right one."),
    },
}

SKIPPED: Mapping[str, str] = {
    "skipped": "The record does not meet `when`, or there is nothing to write; the message says which.",
    "skipped_by_person": "A person left the record out, until it changes; the message says who and why.",
    "kept": "It is gone from the source and stays in the target, as `deletion: keep` says.",
    "precedence": "Another sync decides on this record, deletes too; the message says what is left to it.",
    "empty": "There is no number to ask a register for.",
    "zeros": "The number is only zeros.",
    "foreign": "A foreign company's number, which the register does not hold.",
    "edrpou": "A Ukrainian code of eight digits, which the register does not hold.",
    "not_found": "The register does not know the number.",
    "not_asked": "A dry run asks no register, and there is no kept answer.",
}
