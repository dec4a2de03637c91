"""Groups of consumers whose size can be set: an Auto Scaling group of EC2, or a service of ECS."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.patience import patiently
from airflow_agari_provider.queues.permissions import told

Sleep = Callable[[float], None]


class NoSuchGroup(AgariError):
    """
    A group of consumers that AWS does not know.

    :param group: the group, in words.
    """

    def __init__(self, group: str) -> None:
        super().__init__(group)
        self.group = group

    def __str__(self) -> str:
        return f"There is no {self.group} in this account and region. Check its name, and aws_conn_id and region_name."


@dataclass(frozen=True)
class Size:
    """How many instances a group should have now, and the bounds that it has of its own."""

    desired: int
    minimum: int = 0
    maximum: int = sys.maxsize

    def bounded(self, wanted: int) -> int:
        """Return the number within the group's own bounds."""
        return min(max(wanted, self.minimum), self.maximum)


class ConsumerGroup(Protocol):
    """What scaling asks of a group."""

    def size(self, sleep: Sleep) -> Size:
        """:raises NoSuchGroup: it is not there."""

    def resize(self, wanted: int, sleep: Sleep) -> None:
        """Set how many instances there should be; returns at once."""


@dataclass(frozen=True)
class AutoScalingGroup:
    """
    An Auto Scaling group of EC2.

    :param client: boto3 client of Auto Scaling.
    """

    client: Any
    name: str

    def size(self, sleep: Sleep) -> Size:
        ask = partial(self.client.describe_auto_scaling_groups, AutoScalingGroupNames=[self.name])
        groups = told(partial(patiently, ask, sleep), str(self))["AutoScalingGroups"]
        if not groups:
            raise NoSuchGroup(str(self))
        return Size(groups[0]["DesiredCapacity"], groups[0]["MinSize"], groups[0]["MaxSize"])

    def resize(self, wanted: int, sleep: Sleep) -> None:
        request = {"AutoScalingGroupName": self.name, "DesiredCapacity": wanted, "HonorCooldown": False}
        told(partial(patiently, partial(self.client.set_desired_capacity, **request), sleep), str(self))

    def __str__(self) -> str:
        return f"Auto Scaling group {self.name!r}"


@dataclass(frozen=True)
class EcsService:
    """
    A service of ECS.

    :param client: boto3 client of ECS.
    """

    client: Any
    cluster: str
    name: str

    def size(self, sleep: Sleep) -> Size:
        from botocore.exceptions import ClientError

        ask = partial(self.client.describe_services, cluster=self.cluster, services=[self.name])
        try:
            services = told(partial(patiently, ask, sleep), str(self))["services"]
        except ClientError as error:
            if "NotFound" in error.response["Error"]["Code"]:
                raise NoSuchGroup(str(self)) from error
            raise
        if not services or services[0].get("status") == "INACTIVE":
            raise NoSuchGroup(str(self))
        return Size(services[0]["desiredCount"])

    def resize(self, wanted: int, sleep: Sleep) -> None:
        request = {"cluster": self.cluster, "service": self.name, "desiredCount": wanted}
        told(partial(patiently, partial(self.client.update_service, **request), sleep), str(self))

    def __str__(self) -> str:
        return f"ECS service {self.name!r} of cluster {self.cluster!r}"
