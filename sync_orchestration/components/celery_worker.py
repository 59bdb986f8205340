"""What a Celery worker opens: `celery -A sync_orchestration.components.celery_worker worker`."""

import os

from sync_orchestration.components.celery_runs import worker_app
from sync_orchestration.components.run_launcher import CELERY_URL

app = worker_app(os.environ[CELERY_URL])
