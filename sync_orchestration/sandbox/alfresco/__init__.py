"""Stand-in of Alfresco Content Services with Citeck ECOS: contractors, in both of their API dialects."""

from sync_orchestration.sandbox.alfresco.app import alfresco_app
from sync_orchestration.sandbox.alfresco.switches import AlfrescoSwitches
from sync_orchestration.sandbox.alfresco.world import AlfrescoWorld, Write

__all__ = ["AlfrescoSwitches", "AlfrescoWorld", "Write", "alfresco_app"]
