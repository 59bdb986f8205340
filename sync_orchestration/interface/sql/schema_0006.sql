-- Sixth version: what a doubt is about, so that only the very same request is ever sent again.
-- Released versions of this file never change; a later schema is a later file.

ALTER TABLE sync.interface_row
    -- When the claim was that put the row in doubt; while the doubt lasts, later claims leave it as it is.
    ADD COLUMN doubt_since timestamptz,
    -- What was to be written then, and how: the payload's hash ('-' for a delete), a space, a hash of the settings.
    ADD COLUMN doubt_about text;
