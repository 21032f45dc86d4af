#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two libraries for Sparkplug B write negative numbers and UInt32 in different ways: what one of them writes, the other one reads as
# another number, as nothing, or refuses.
source "$(dirname "$0")/common.bash"

python_with pysparkplug==0.6.1
mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund sparkplug-payload@1.0.3
echo "packages: sparkplug-payload 1.0.3, Node.js $(node --version)"
expect "a metric has the same value when it was written by one library and read by the other"

cat >sparkplug.js <<'JS'
const sparkplug = require('sparkplug-payload').get('spBv1.0');
const fs = require('fs');
const shown = (metrics) => JSON.stringify(Object.fromEntries(metrics.map((m) => [m.name, String(m.value)])));
if (process.argv[2] === 'write') {
  const metric = (type, value) => ({ name: type, type, value });
  const metrics = [metric('Int8', -5), metric('Int16', -5), metric('Int32', -5), metric('Int64', -1), metric('UInt32', 7)];
  fs.writeFileSync(process.argv[3], sparkplug.encodePayload({ timestamp: 1, seq: 0, metrics }));
} else {
  console.log(shown(sparkplug.decodePayload(fs.readFileSync(process.argv[3])).metrics));
}
JS

node sparkplug.js write node.bin
from_node=$(node sparkplug.js read node.bin)
run_python >from_python <<'PYTHON'
import json
import pathlib

from pysparkplug import DataType, Metric, NBirth

written = {DataType.INT8: -5, DataType.INT16: -5, DataType.INT32: -5, DataType.INT64: -1, DataType.UINT32: 7}
names = {DataType.INT8: "Int8", DataType.INT16: "Int16", DataType.INT32: "Int32", DataType.INT64: "Int64", DataType.UINT32: "UInt32"}
metrics = tuple(Metric(timestamp=1, name=names[kind], datatype=kind, value=value) for kind, value in written.items())
payload = NBirth(timestamp=1, seq=0, metrics=metrics).encode()
pathlib.Path("python.bin").write_bytes(payload)
print(json.dumps({metric.name: str(metric.value) for metric in NBirth.decode(payload).metrics}, separators=(",", ":")))
try:
    print({metric.name: metric.value for metric in NBirth.decode(pathlib.Path("node.bin").read_bytes()).metrics})
except Exception as error:
    print(repr(error))
PYTHON
to_node=$(node sparkplug.js read python.bin)
echo "seen: written by Node.js, read by Node.js: $from_node"
echo "seen: written by Python, read by Python:   $(sed -n 1p from_python)"
echo "seen: written by Python, read by Node.js:  $to_node"
echo "seen: written by Node.js, read by Python:  $(sed -n 2p from_python)"

[[ $from_node == '{"Int8":"-5","Int16":"-5","Int32":"-5","Int64":"-1","UInt32":"7"}' &&
  $(sed -n 1p from_python) == '{"Int8":"-5","Int16":"-5","Int32":"-5","Int64":"-1","UInt32":"7"}' &&
  $to_node == '{"Int8":"251","Int16":"65531","Int32":"-5","Int64":"-1","UInt32":"null"}' &&
  $(sed -n 2p from_python) == OverflowError* ]]
echo "so: in a group of several libraries use Int32 or Double, and UInt64 instead of UInt32"
