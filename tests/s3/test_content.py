from __future__ import annotations

import botocore.exceptions
import botocore.stub
import pytest

from airflow_agari_provider.s3.content import is_current, same_content
from airflow_agari_provider.s3.objects import ObjectStream


def test_content_is_current_until_it_is_overwritten_or_gone(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"first")
    with ObjectStream(s3, bucket, "k") as stream:
        stored = stream.stored
    assert is_current(s3, stored)
    s3.put_object(Bucket=bucket, Key="k", Body=b"second")
    assert not is_current(s3, stored)
    s3.delete_object(Bucket=bucket, Key="k")
    assert not is_current(s3, stored)
    with botocore.stub.Stubber(s3) as stub:
        stub.add_client_error("head_object", "403", http_status_code=403)  # gone, to those who may not list
        assert not is_current(s3, stored)
        stub.add_client_error("head_object", "503", http_status_code=503)
        with pytest.raises(botocore.exceptions.ClientError, match="503"):
            is_current(s3, stored)


def test_the_same_bytes_are_the_same_content_whatever_their_etag(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 300_000)
    with ObjectStream(s3, bucket, "k") as stream:
        assert stream.content() is None
        stream.read(300_000)
        content = stream.content()
    assert content == "29927e273accc68286005017f7fa6e4f27bddb4db3083ff8b8d4c3667905b7fa"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x" * 300_000)["ETag"]
    parts = {"Parts": [{"ETag": part, "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    with ObjectStream(s3, bucket, "k") as anew:
        assert anew.stored.etag != stream.stored.etag
    assert same_content(s3, anew.stored, content)
    assert not same_content(s3, stream.stored, content), "other content may be there by now"
    assert not same_content(s3, anew.stored, "0" * 64)
    s3.delete_object(Bucket=bucket, Key="k")
    assert not same_content(s3, anew.stored, content)
