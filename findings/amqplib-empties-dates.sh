#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Date in the headers of amqplib (Node.js) is sent as an empty table, without an error. The other way around, a header of 64 bits, such
# as a tracking id from Python, loses its last digits, and a BigInt, which would keep them, is refused.
source "$(dirname "$0")/common.bash"

python_with pamqp==4.0.1
mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund amqplib@2.3.1
echo "packages: amqplib 2.3.1, Node.js $(node --version)"
expect "a Date is sent as the type timestamp, or refused; a number of 64 bits arrives whole"

cat >send.js <<'JS'
// The bytes of a table of headers, as amqplib sends it.
const codec = require(require.resolve('amqplib').replace(/[^/]*$/, 'lib/codec.js'));
const bytes = Buffer.alloc(1000);
const table = (headers) => bytes.subarray(0, codec.encodeTable(bytes, headers, 0)).toString('hex');
console.log(table({ taken: new Date(1764500000000), told: { '!': 'timestamp', value: 1764500000 } }));
try {
  table({ id: 1844674407370955161n });
  console.log('sent');
} catch (error) {
  console.log(error.message);
}
JS
cat >read.js <<'JS'
const codec = require(require.resolve('amqplib').replace(/[^/]*$/, 'lib/codec.js'));
console.log(String(codec.decodeFields(Buffer.from(process.argv[2], 'hex').subarray(4)).id));
JS

node send.js >sent
dates=$(run_python "$(head -n 1 sent)" <<'PYTHON'
import sys

import pamqp.decode

headers = pamqp.decode.field_table(bytes.fromhex(sys.argv[1]))[1]
print({name: value if isinstance(value, dict) else value.isoformat() for name, value in headers.items()})
PYTHON
)
id=$(node read.js "$(run_python <<'PYTHON'
import pamqp.encode

print(pamqp.encode.field_table({"id": 1844674407370955161}).hex())
PYTHON
)")
echo "seen: a Date, and {'!': 'timestamp', ...}, of amqplib, read by pamqp (aio-pika): $dates"
echo "seen: 1844674407370955161 of pamqp, read by amqplib: $id; a BigInt of amqplib: $(tail -n 1 sent)"
[[ $dates == "{'taken': {}, 'told': '2025-11-30T10:53:20+00:00'}" && $id == 1844674407370955300 && $(tail -n 1 sent) == *bigint* ]]
echo "so: send times as {'!': 'timestamp', value: seconds} or as text, and ids as text"
