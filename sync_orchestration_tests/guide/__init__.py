"""Makes the reference part of the guide from the code, whenever MkDocs builds it; nothing generated is committed."""
