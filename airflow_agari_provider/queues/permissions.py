"""What a connection needs that AWS has refused: AWS's own words name neither the queue nor what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

T = TypeVar("T")

_REFUSALS = ("AccessDenied", "AuthorizationError", "Forbidden", "UnauthorizedOperation")
# Operations whose permission has another name.
_ACTIONS = {
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "SendMessageBatch": "sqs:SendMessage",
    "ListSubscriptionsByTopic": "sns:ListSubscriptionsByTopic",
    "GetObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "DescribeAutoScalingGroups": "autoscaling:DescribeAutoScalingGroups",
    "SetDesiredCapacity": "autoscaling:SetDesiredCapacity",
    "DescribeServices": "ecs:DescribeServices",
    "UpdateService": "ecs:UpdateService",
}
_SENDING = ("sqs:SendMessage", "sqs:StartMessageMoveTask", "s3:PutObject")  # they encrypt, the others only decrypt


def is_refusal(error: ClientError) -> bool:
    """Whether AWS refused a request because a permission is missing."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return any(word in code for word in _REFUSALS) or code == "403"


def explained(error: ClientError, where: str) -> ClientError:
    """
    Return an error that says what the connection needs, if AWS has refused the request; or else the error itself.

    :param where: URL or ARN of the queue, topic or object.
    """
    from botocore.exceptions import ClientError as Explained

    if not is_refusal(error):
        return error
    found = error.response["Error"]
    action = _ACTIONS.get(error.operation_name, f"sqs:{error.operation_name}")
    key = "kms:GenerateDataKey and kms:Decrypt" if action in _SENDING else "kms:Decrypt"
    if "kms" in f"{found['Code']} {found.get('Message', '')}".lower():
        advice = f"It is encrypted with a key of KMS: the connection needs {key} on that key, and {action} on {where}"
    else:
        advice = (
            f"The connection needs {action} on {where}. If that is in another account, its own policy must allow it "
            f"too; if it is encrypted with a key of KMS, the connection also needs {key} on the key"
        )
    message = f"{str(found.get('Message', '')).rstrip('.')}. {advice}."
    return Explained({**error.response, "Error": {**found, "Message": message}}, error.operation_name)


def told(request: Callable[[], T], where: str) -> T:
    """
    Return the answer of a request.

    :raises ClientError: AWS answered with an error; see :func:`explained`.
    """
    from botocore.exceptions import ClientError

    try:
        return request()
    except ClientError as error:
        raise explained(error, where) from error
