#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# pika reads every header of the types float and double as 0, without a word, and cannot send one. A confidence of 0.87 that a program
# in Node.js (amqplib) or asyncio (aio-pika) put into a header is 0 for a consumer with pika; its age of 0.5 s, too.
source "$(dirname "$0")/common.bash"

python_with pika==1.4.4 pamqp==4.0.1
mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund amqplib@2.3.1
echo "packages: amqplib 2.3.1, Node.js $(node --version)"
expect "a header of type double or float has the same value for whoever reads it (AMQP 0-9-1, 4.2.5.5 and RabbitMQ's list of types)"

cat >headers.js <<'JS'
// The bytes of a table of headers, as amqplib sends it.
const codec = require(require.resolve('amqplib').replace(/[^/]*$/, 'lib/codec.js'));
const bytes = Buffer.alloc(1000);
const length = codec.encodeTable(bytes, { confidence: 0.87, count: 3, half: { '!': 'float', value: 0.5 } }, 0);
console.log(bytes.subarray(0, length).toString('hex'));
JS

run_python "$(node headers.js)" <<'PYTHON'
import sys

import pamqp.commands
import pamqp.decode
import pika
import pika.data
import pika.exceptions

table = bytes.fromhex(sys.argv[1])
print(f"seen: sent by amqplib: pamqp (aio-pika) reads {pamqp.decode.field_table(table)[1]}, pika {pika.data.decode_table(table, 0)[0]}")

headers = {"confidence": 0.87, "count": 3}
wire = pamqp.commands.Basic.Properties(headers=headers).marshal()
read = pika.BasicProperties()
read.decode(wire)
print(f"seen: sent by pamqp: {headers}; pika reads {read.headers}")
try:
    pika.BasicProperties(headers=headers).encode()
    refused = ""
except pika.exceptions.UnsupportedAMQPFieldException as error:
    refused = type(error).__name__
print(f"seen: sent by pika: {refused or 'yes'}")
seen = (pika.data.decode_table(table, 0)[0], read.headers, bool(refused))
sys.exit(0 if seen == ({"confidence": 0, "count": 3, "half": 0}, {"confidence": 0, "count": 3}, True) else 1)
PYTHON
echo "so: put fractions into headers as text, as dsmsg's adaptor does, where consumers may use pika"
