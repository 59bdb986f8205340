"""Alfresco and Citeck ECOS: contractors read in the order of their node-dbid, and written back node by node."""
