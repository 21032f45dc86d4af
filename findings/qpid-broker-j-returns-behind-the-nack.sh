#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A mandatory message that no queue is bound for comes back with basic.return. Where publisher confirms are on, RabbitMQ sends the
# return first and the confirm behind it, so a client knows by then. Qpid Broker-J sends basic.nack first and the return behind it: a
# client that acts on the nack, by sending again, goes on for ever, and never looks at the return.
source "$(dirname "$0")/common.bash"

python_with amqp==5.3.1
expect "basic.return, then the confirm (RabbitMQ's guide to publisher confirms)"

version=9.2.0
dependency() { echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version>${4:-}</dependency>"; }
alone="<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"  # one is the Berkeley DB
cat >"$work/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>finding</groupId><artifactId>finding</artifactId><version>1</version><dependencies>
$(dependency org.apache.qpid qpid-broker-core $version)
$(dependency org.apache.qpid qpid-broker-plugins-amqp-0-8-protocol $version)
$(dependency org.apache.qpid qpid-broker-plugins-memory-store $version)
$(dependency org.apache.qpid qpid-broker-plugins-logging-logback $version)
$(dependency org.apache.qpid qpid-broker $version "$alone")
$(dependency commons-cli commons-cli 1.6.0)
</dependencies></project>
XML
(cd "$work" && mvn --quiet dependency:copy-dependencies -DoutputDirectory=lib >/dev/null)
port=$(free_port)
cat >"$work/config.json" <<JSON
{"name": "broker", "modelVersion": "9.0",
 "authenticationproviders": [{"name": "plain", "type": "Plain", "secureOnlyMechanisms": [],
   "users": [{"name": "guest", "type": "managed", "password": "guest"}]}],
 "ports": [{"name": "AMQP", "port": "$port", "bindingAddress": "127.0.0.1", "authenticationProvider": "plain",
   "virtualhostaliases": [{"name": "default", "type": "defaultAlias"}, {"name": "name", "type": "nameAlias"}]}],
 "virtualhostnodes": [{"name": "default", "type": "Memory", "defaultVirtualHostNode": true,
   "virtualHostInitialConfiguration": "{\"type\": \"Memory\"}"}]}
JSON
echo "server: Apache Qpid Broker-J $version, Java $(java -version 2>&1 | head -n 1)"
serve java -cp "$work/lib/*" org.apache.qpid.server.Main -icp "$work/config.json" -prop "qpid.work_dir=$work/data"
wait_for_port "$port"

run_python "$port" <<'PYTHON'
import sys
import time

import amqp

deadline = time.monotonic() + 60
while True:  # its port is open before its virtual host is active
    try:
        connection = amqp.Connection(f"127.0.0.1:{sys.argv[1]}", "guest", "guest")
        connection.connect()
        break
    except (amqp.AMQPError, OSError):
        if time.monotonic() > deadline:
            raise
        time.sleep(0.5)
channel = connection.channel()
channel.confirm_select()
seen = []
for name in ("basic_return", "basic_ack", "basic_nack"):
    channel.events[name].add(lambda *_, name=name: seen.append(name.replace("_", ".")))
channel._basic_publish(amqp.Message("payload"), "amq.topic", "nobody.is.bound.for.this", mandatory=True)
while len(seen) < 2:
    connection.drain_events(timeout=20)
print("seen:", ", then ".join(seen))
sys.exit(0 if seen == ["basic.nack", "basic.return"] else 1)
PYTHON
echo "so: behind a nack ask the broker something (basic.qos, say) and wait for the answer: a return comes before it, or not at all"
