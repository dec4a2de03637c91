"""Gives a group of consumers the size that their SQS queues need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import BaseOperator, Context
from airflow_agari_provider.exceptions import require_durations, seconds, whole_number
from airflow_agari_provider.hooks.aws_clients import client_in
from airflow_agari_provider.queues.patience import patiently
from airflow_agari_provider.triggers.sqs_connection import sqs_of

if TYPE_CHECKING:
    from airflow_agari_provider.queues.consumer_group import ConsumerGroup


class SqsScalingOperator(BaseOperator):
    """
    Set the size of an Auto Scaling group or an ECS service by the depth of its queues.

    Out when messages are visible: one instance for each ``messages_per_instance`` messages that are visible or in
    flight. In, to ``min_instances``, only when no message is visible, in flight or delayed through a whole
    ``quiet_period``, for which the task then waits. Run it every minute or two. An unknown count changes nothing: the
    task fails.

    Returns ``{"before", "after", "visible", "in_flight", "delayed"}``: instances wanted before and now, and the depth.

    :param queue_url: URL, ARN or name of the queue, or a list of them; the ARN of an SNS topic stands for its queues.
    :param auto_scaling_group: name of the Auto Scaling group. Give either this or ``ecs_service``. Its own bounds hold
        too.
    :param ecs_service: name or ARN of the ECS service.
    :param ecs_cluster: name or ARN of the service's cluster.
    :param min_instances: size when the queues are drained.
    :param max_instances: largest size.
    :param messages_per_instance: messages that one instance is to work off.
    :param quiet_period: seconds (or timedelta) for which the queues must be drained before the group shrinks.
    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region of the group, and of queues given by name; default: that of the connection.
    :raises NoSuchGroup: there is no such group.
    :raises DepthUnknown: SQS did not tell the depth.
    """

    template_fields: Sequence[str] = (
        "queue_url",
        "auto_scaling_group",
        "ecs_service",
        "ecs_cluster",
        "min_instances",
        "max_instances",
        "messages_per_instance",
        "quiet_period",
        "aws_conn_id",
        "region_name",
    )
    ui_color = "#d5e8d4"

    def __init__(
        self,
        *,
        queue_url: str | list[str],
        auto_scaling_group: str | None = None,
        ecs_service: str | None = None,
        ecs_cluster: str = "default",
        min_instances: int | str = 0,
        max_instances: int | str = 10,
        messages_per_instance: int | str = 100,
        quiet_period: float | timedelta | str = 120,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (auto_scaling_group is None) == (ecs_service is None):
            raise ValueError("Give either auto_scaling_group or ecs_service: the group of the queues' consumers.")
        require_durations(quiet_period=quiet_period)
        self.queue_url = queue_url
        self.auto_scaling_group = auto_scaling_group
        self.ecs_service = ecs_service
        self.ecs_cluster = ecs_cluster
        self.min_instances = min_instances
        self.max_instances = max_instances
        self.messages_per_instance = messages_per_instance
        self.quiet_period = quiet_period
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def execute(self, context: Context) -> dict[str, int]:
        """Read the queues, and set the size."""
        from airflow_agari_provider.queues.scaling import ScalingRule, scale
        from airflow_agari_provider.queues.topics import queue_urls_of

        rule = ScalingRule(
            whole_number("min_instances", self.min_instances),
            whole_number("max_instances", self.max_instances),
            whole_number("messages_per_instance", self.messages_per_instance, 1),
        )
        quiet = seconds("quiet_period", self.quiet_period)
        sqs = sqs_of(self.aws_conn_id, self.region_name)
        named = [self.queue_url] if isinstance(self.queue_url, str) else list(self.queue_url)
        if not named:
            raise ValueError("There is no queue to scale by: queue_url is an empty list. Name at least one queue.")
        urls = dict.fromkeys(url for queue in named for url in patiently(partial(queue_urls_of, sqs, queue)))
        return scale(sqs, list(urls), self._group(), rule, quiet).as_dict()

    def _group(self) -> ConsumerGroup:
        from airflow_agari_provider.queues.consumer_group import AutoScalingGroup, EcsService

        def client(service: str) -> Any:
            return client_in(self.aws_conn_id, self.region_name, service)(None)

        if self.ecs_service is None:
            return AutoScalingGroup(client("autoscaling"), str(self.auto_scaling_group))
        return EcsService(client("ecs"), self.ecs_cluster, self.ecs_service)
