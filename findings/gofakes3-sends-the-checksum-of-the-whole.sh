#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gofakes3 answers a request for a part of an object with the checksum of the whole object, so that boto3, which looks at checksums by
# default, refuses the part. It also gives names of metadata capital letters: metadata["digest"] is a KeyError.
source "$(dirname "$0")/common.bash"

python_with boto3==1.44.8
version=v1.2.0
GOBIN="$work/bin" CGO_ENABLED=0 go install "github.com/johannesboyne/gofakes3/cmd/gofakes3@$version"
echo "server: gofakes3 $version, $(go version | cut -d' ' -f3)"
expect "the last two bytes of an object are read as they were stored; names of metadata are in small letters, as S3 sends them"

port=$(free_port)
serve "$work/bin/gofakes3" -backend memory -host "127.0.0.1:$port"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import FlexibleChecksumError


def client(**options):
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{sys.argv[1]}", aws_access_key_id="user", aws_secret_access_key="secret",
                        region_name="us-east-1", config=Config(s3={"addressing_style": "path"}, **options))


def part(store):
    try:
        return store.get_object(Bucket="pictures", Key="gate.jpg", Range="bytes=-2")["Body"].read()
    except FlexibleChecksumError as error:
        return f"{type(error).__name__}: {error}"


store = client()
store.create_bucket(Bucket="pictures")
store.put_object(Bucket="pictures", Key="gate.jpg", Body=b"picture", Metadata={"digest": "abc"})
whole = store.get_object(Bucket="pictures", Key="gate.jpg")
print(f"seen: whole: {whole['Body'].read()}, metadata {whole['Metadata']}")
by_default, when_required = part(store), part(client(response_checksum_validation="when_required"))
print(f"seen: last two bytes: {by_default}")
print(f"seen: with response_checksum_validation=when_required: {when_required}")
sys.exit(0 if "FlexibleChecksumError" in str(by_default) and when_required == b"re" and whole["Metadata"] == {"Digest": "abc"} else 1)
PYTHON
echo "so: read parts with response_checksum_validation=when_required, and compare names of metadata without case"
