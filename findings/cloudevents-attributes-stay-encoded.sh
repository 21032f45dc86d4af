#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CloudEvents' HTTP binding percent-encodes attributes in headers. The SDK for JavaScript and the older interface of the one for Python
# neither write nor read them so; the newer interface of the same Python package does. And all of them give an event without a time
# the time at which it was read, so that it looks as if the sender had said so.
source "$(dirname "$0")/common.bash"

python_with cloudevents==2.2.0
mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund cloudevents@10.0.0
echo "packages: cloudevents 10.0.0, Node.js $(node --version)"
expect "the header \"ce-subject: north%20gate\" is the subject \"north gate\" (HTTP binding 1.0.2, 3.1.3.2), and no time stays no time"

node - >node.out <<'JS'
const { CloudEvent, HTTP } = require('cloudevents');
const headers = { 'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/camera', 'ce-type': 'seen' };
const read = HTTP.toEvent({ headers: { ...headers, 'ce-subject': 'north%20gate' }, body: '{}' });
const written = HTTP.binary(new CloudEvent({ id: '1', source: '/camera', type: 'seen', subject: 'north gate', data: {} }));
console.log(`reads ${read.subject}; writes ${written.headers['ce-subject']}; a time it did not get: ${Boolean(read.time)}`);
JS
run_python >python.out 2>/dev/null <<'PYTHON'
from cloudevents.core.bindings import http as newer
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import http as older

headers = {
    "content-type": "application/json", "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/camera", "ce-type": "seen",
    "ce-subject": "north%20gate",
}
attributes = {"id": "1", "source": "/camera", "type": "seen", "specversion": "1.0", "subject": "north gate"}
read = older.from_http(headers, b"{}")
written, _ = older.to_binary(older.CloudEvent(attributes, {}))
print(f"reads {read['subject']}; writes {written['ce-subject']}; a time it did not get: {bool(read['time'])}")
event = newer.from_http_event(newer.HTTPMessage(headers, b"{}"))
sent = newer.to_binary_event(CloudEvent(attributes, {})).headers
print(f"reads {event.get_subject()}; writes {sent['ce-subject']}; a time it did not get: {bool(event.get_time())}")
PYTHON
echo "seen: JavaScript:    $(cat node.out)"
echo "seen: Python, older: $(sed -n 1p python.out)"
echo "seen: Python, newer: $(sed -n 2p python.out)"
plain="reads north%20gate; writes north gate; a time it did not get: true"
[[ $(cat node.out) == "$plain" && $(sed -n 1p python.out) == "${plain/true/True}" &&
  $(sed -n 2p python.out) == "reads north gate; writes north%20gate; a time it did not get: True" ]]
echo "so: keep spaces, quotes, percent signs and accents out of attributes, and always send a time"
