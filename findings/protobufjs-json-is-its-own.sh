#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The JSON that protobufjs makes of a message is not the JSON of Protocol Buffers where a message has a Timestamp: {"seconds", "nanos"} in
# place of a text in RFC 3339. Other languages refuse it, and protobufjs refuses theirs.
source "$(dirname "$0")/common.bash"

python_with protobuf==6.33.6 grpcio-tools==1.76.0
mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund protobufjs@8.8.1
echo "packages: protobufjs 8.8.1, Node.js $(node --version)"
expect "a frame that Node.js decoded and wrote as JSON is read by Python, and the other way round"

cat >frame.proto <<'PROTO'
syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Frame {
  string camera = 1;
  google.protobuf.Timestamp time = 2;
  uint64 object = 3;
}
PROTO
"$work/venv/bin/python" -m grpc_tools.protoc -I . --python_out . frame.proto
cat >frame.js <<'JS'
const fs = require('fs');
const Frame = require('protobufjs').loadSync('frame.proto').lookupType('Frame');
console.log(JSON.stringify(Frame.decode(fs.readFileSync('frame.bin'))));
try {
  console.log(JSON.stringify(Frame.fromObject(JSON.parse(fs.readFileSync('python.json')))));
} catch (error) {
  console.log(`${error.name}: ${error.message}`);
}
JS
run_python <<'PYTHON'
import pathlib
import sys

sys.path.insert(0, ".")
import frame_pb2
from google.protobuf import json_format

frame = frame_pb2.Frame(camera="north", object=2**64 - 1)
frame.time.FromJsonString("2024-01-15T10:30:00.123Z")
pathlib.Path("frame.bin").write_bytes(frame.SerializeToString())
pathlib.Path("python.json").write_text(json_format.MessageToJson(frame, indent=None))
PYTHON
node frame.js >node.out
sed -n 1p node.out >node.json
read_back=$(run_python <<'PYTHON'
import pathlib
import sys

sys.path.insert(0, ".")
import frame_pb2
from google.protobuf import json_format

try:
    print(json_format.Parse(pathlib.Path("node.json").read_text(), frame_pb2.Frame()))
except json_format.ParseError as error:
    print("ParseError:", str(error).splitlines()[0])
PYTHON
)
echo "seen: Python writes  $(cat python.json)"
echo "seen: Node.js writes $(cat node.json)"
echo "seen: Python reads what Node.js wrote: $read_back"
echo "seen: Node.js reads what Python wrote: $(sed -n 2p node.out)"
[[ $(cat node.json) == *'"time":{"seconds":"1705314600","nanos":123000000}'* && $read_back == ParseError* && $(sed -n 2p node.out) == *Error* ]]
echo "so: pass messages on as protobuf, or write the time yourself: new Date(seconds * 1000 + nanos / 1e6).toISOString()"
