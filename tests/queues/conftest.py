from __future__ import annotations

from typing import Any

import pytest

from tests.queues.letters import redrive


@pytest.fixture
def dead(sqs: Any, queue_url: str) -> str:
    """URL of a dead-letter queue, to which the queue sends a message that was received once."""
    url = str(sqs.create_queue(QueueName="importer-dead")["QueueUrl"])
    redrive(sqs, queue_url, url)
    return url
