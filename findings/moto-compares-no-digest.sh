#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# moto stores what does not match its own checksums: Content-MD5 and x-amz-checksum-sha256 are not compared with the body. A program that
# sends the digest of another picture, or a picture cut short, passes its tests with moto and is refused by S3.
source "$(dirname "$0")/common.bash"

python_with "moto[s3]==5.2.5" boto3==1.44.8
expect "400 BadDigest for a body that is not that of Content-MD5, and for one that is not that of x-amz-checksum-sha256"

run_python <<'PYTHON'
import base64
import hashlib
import sys

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

mock_aws().start()
store = boto3.client("s3", region_name="us-east-1")
store.create_bucket(Bucket="pictures")
other = b"another picture"
md5 = base64.b64encode(hashlib.md5(other).digest()).decode()
sha256 = base64.b64encode(hashlib.sha256(other).digest()).decode()
seen = []
for name, digest in (("ContentMD5", md5), ("ChecksumSHA256", sha256)):
    try:
        store.put_object(Bucket="pictures", Key=name, Body=b"picture", **{name: digest})
        seen.append("stored")
    except ClientError as error:
        seen.append(error.response["Error"]["Code"])
    print(f"seen: {name} of another body: {seen[-1]}")
sys.exit(0 if seen == ["stored", "stored"] else 1)
PYTHON
echo "so: test digests with a server that compares them (MinIO, SeaweedFS, Ceph), or compare them yourself"
