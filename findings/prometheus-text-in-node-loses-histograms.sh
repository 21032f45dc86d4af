#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# parse-prometheus-text-format keeps one histogram or summary of a name: without labels, without count and sum, with the buckets of the
# last one in the text. Those of other labels are gone. One that has no labels at all is read whole, as the package's example shows.
source "$(dirname "$0")/common.bash"

mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund parse-prometheus-text-format@1.1.1
echo "packages: parse-prometheus-text-format 1.1.1, Node.js $(node --version)"
expect "two histograms of one name with other labels are two, each with labels, count and sum"

cat >read.js <<'JS'
const assert = require('assert');
const parse = require('parse-prometheus-text-format');
const series = (labels, low, all) => [
  `wait_seconds_bucket{${labels}${labels && ','}le="0.1"} ${low}`, `wait_seconds_bucket{${labels}${labels && ','}le="+Inf"} ${all}`,
  `wait_seconds_sum${labels && `{${labels}}`} 7.5`, `wait_seconds_count${labels && `{${labels}}`} ${all}`];
const read = (...all) => parse(['# HELP wait_seconds A wait.', '# TYPE wait_seconds histogram', ...all.flat(), ''].join('\n'))[0].metrics;

const alone = read(series('', 1, 2));
const two = read(series('adaptor="kafka"', 1, 2), series('adaptor="mqtt"', 5, 6));
console.log('seen: without labels: ' + JSON.stringify(alone));
console.log('seen: adaptor="kafka" (1 of 2 below 0.1) and adaptor="mqtt" (5 of 6): ' + JSON.stringify(two));
assert.deepStrictEqual(alone, [{ buckets: { 0.1: '1', '+Inf': '2' }, count: '2', sum: '7.5' }]);
assert.deepStrictEqual(two, [{ buckets: { 0.1: '5', '+Inf': '6' } }]);
JS
node read.js
echo "so: read histograms with labels, as those of dsmsg's metrics-file, with Prometheus itself or prometheus_client in Python"
