#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Beside any package that uses version 5 of "long" (most that speak protobuf do), sparkplug-payload reads a negative Int64 as a huge
# positive number, and UInt32 as an object: npm then installs version 4 twice, and an "instanceof" between the two copies is false.
source "$(dirname "$0")/common.bash"

mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund sparkplug-payload@1.0.3
echo "packages: sparkplug-payload 1.0.3, Node.js $(node --version)"
expect "an Int64 of -1 and a UInt32 of 7 are read as they were written, whatever else is installed"

cat >sparkplug.js <<'JS'
const sparkplug = require('sparkplug-payload').get('spBv1.0');
const metrics = [{ name: 'count', type: 'Int64', value: -1 }, { name: 'level', type: 'UInt32', value: 7 }];
const read = sparkplug.decodePayload(sparkplug.encodePayload({ timestamp: 1, seq: 0, metrics })).metrics;
console.log(read.map(({ name, value }) => `${name}: ${typeof value} ${value}`).join('; '));
JS

alone=$(node sparkplug.js)
npm install --silent --no-audit --no-fund long@5.3.2
beside=$(node sparkplug.js)
echo "seen: alone: $alone"
echo "seen: beside the package long 5.3.2: $beside"
[[ $alone == 'count: object -1; level: number 7' && $beside == 'count: object 18446744073709551615; level: object 7' ]]
echo "so: read 64-bit metrics with BigInt.asIntN(64, BigInt(String(value))), and UInt32 with Number(value)"
