// SPDX-License-Identifier: Apache-2.0
// What a handlers file may say. The examples have the handlers, names and values of the output
// handlers that users of the ZMQ adaptor come from.
#include "adaptors/multi/handlers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adaptors/multi/driver.h"
#include "support/driver_harness.h"
#include "support/server_process.h"

namespace dsmsg::multi {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Harness = testing::DriverHarness<MultiDriver>;

std::string Json(const std::string& handlers) {
  return "{\"output\": {\"handlers\": {" + handlers + "}}}";
}

struct Case {
  const char* name;
  const char* text;
};
std::string NameOf(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

// ---------------------------------------------------------------- what is accepted

/// The whole driver: the file is read, the adaptors are loaded, every option is checked.
class Accepted : public ::testing::TestWithParam<Case> {};

TEST_P(Accepted, AsItStands) {
  const testing::Environment folder("DSMSG_LIB_DIR", DSMSG_LIB_DIR);
  const testing::TemporaryFolder files;
  const std::string text = GetParam().text;
  const std::string path = files.Write("handlers", text.starts_with('"') ? Json(text) : text);
  const Harness harness(path);
  EXPECT_TRUE(harness.configured.ok()) << harness.configured.message();
}

constexpr Case kAccepted[] = {
    {"Basic", R"("zmq-publisher": {"uri": "zmq://tcp://*:5555", "sink": "events", "enabled": true,
      "config": {"socket_type": "PUB", "topic": "analytics.events", "high_water_mark": 1000}})"},
    {"Advanced", R"("zmq-analytics": {"uri": "zmq://tcp://analytics-server:5555", "sink": "events",
      "enabled": true, "config": {"socket_type": "PUSH", "topic": "analytics.detections",
      "high_water_mark": 5000, "linger": 1000, "send_timeout": 100, "reconnect_interval": 5000,
      "max_reconnect_attempts": 10, "queue_size": 10000}})"},
    {"MultiPattern",
     R"("zmq-publisher": {"uri": "zmq://tcp://*:5555", "sink": "events", "enabled": true,
      "config": {"socket_type": "PUB", "topic": "analytics.events", "high_water_mark": 1000}},
      "zmq-worker": {"uri": "zmq://tcp://work-queue:5556", "sink": "processing_tasks",
      "enabled": true, "config": {"socket_type": "PUSH", "high_water_mark": 5000,
      "send_timeout": 50}},
      "zmq-request": {"uri": "zmq://tcp://service-endpoint:5557", "sink": "service_requests",
      "enabled": true, "config": {"socket_type": "REQ", "request_timeout": 5000, "retries": 3}})"},
    {"Pipeline", R"("raw-events": {"uri": "zmq://tcp://event-processor:5555", "sink": "events",
      "enabled": true, "config": {"socket_type": "PUSH", "high_water_mark": 10000,
      "send_timeout": 50}},
      "processed-alerts": {"uri": "zmq://tcp://*:5556", "sink": "alerts", "enabled": true,
      "config": {"socket_type": "PUB", "topic": "alerts.security", "high_water_mark": 1000}})"},
    {"EdgeToCloud", R"("cloud-uplink": {"uri": "zmq://tcp://cloud-gateway:5555", "sink": "events",
      "enabled": true, "config": {"socket_type": "PUSH", "high_water_mark": 5000,
      "send_timeout": 1000, "reconnect_interval": 10000, "max_reconnect_attempts": -1}})"},
    {"Broadcasting",
     R"("analytics-broadcast": {"uri": "zmq://tcp://*:5555", "sink": "events", "enabled": true,
      "config": {"socket_type": "PUB", "topic": "analytics", "high_water_mark": 2000,
      "linger": 5000}},
      "diagnostics-broadcast": {"uri": "zmq://tcp://*:5556", "sink": "diagnostics",
      "enabled": true, "config": {"socket_type": "PUB", "topic": "system",
      "high_water_mark": 500}})"},
    {"LocalIpc", R"("local-ipc": {"uri": "zmq://ipc:///tmp/cvedia-analytics.ipc",
      "sink": "events", "config": {"socket_type": "PUB", "topic": "local.analytics",
      "high_water_mark": 2000, "linger": 500}})"},
    {"InProcess", R"("inside": {"uri": "zmq://inproc://analytics"})"},
    {"RequestReply", R"("service-client": {"uri": "zmq://tcp://api-service:5558",
      "sink": "service_requests", "config": {"socket_type": "REQ", "request_timeout": 5000,
      "retries": 3, "reconnect_interval": 2000}})"},
    {"ProtoLib", R"("zmq": {"proto-lib": "libnvds_zmq_proto.so",
      "conn-str": "tcp://localhost:5555"})"},
    {"DisabledOnesAreNotLoaded", R"("on": {"uri": "zmq://tcp://*:5555"},
      "off": {"uri": "nosuch://host", "enabled": false})"},
    {"Ini", R"(# two of them
[output.handlers.zmq-publisher]
uri = zmq://tcp://*:5555
sink = events
enabled = 1
[output.handlers.zmq-publisher.config]
socket_type = PUB
topic = "analytics.events"

[output.handlers.zmq.worker]
uri = zmq://tcp://localhost:5556
topics = alerts/*, cam-?
when = objects.0.label = person && confidence >= 0.5
)"},
};
INSTANTIATE_TEST_SUITE_P(Examples, Accepted, ::testing::ValuesIn(kAccepted), NameOf);

// ---------------------------------------------------------------- what is refused

struct Refusal {
  const char* name;
  const char* text;
  const char* where;
  const char* what;
};
class Refused : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithThePlace) {
  const testing::Environment folder("DSMSG_LIB_DIR", DSMSG_LIB_DIR);
  const testing::TemporaryFolder files;
  const std::string text = GetParam().text;
  const std::string path = files.Write("handlers", text.starts_with('"') ? Json(text) : text);
  const Harness harness(path);
  EXPECT_EQ(harness.configured.code(), Code::kInvalidArgument);
  EXPECT_THAT(harness.configured.message(),
              AllOf(HasSubstr(path + GetParam().where), HasSubstr(GetParam().what),
                    Not(HasSubstr("s3cret"))));
}

constexpr Refusal kRefused[] = {
    {"Empty", "", ":1: ", "there is no object output"},
    {"NotJson", "{\n\"output\": {,", ":2: ", "is not valid JSON"},
    {"NeitherOfThem", "hello", ":1: ", "is neither JSON"},
    {"AnArray", "{\"output\": []}", ":1: ", "there is no object output"},
    {"NothingInside", "{\"output\": {\"handlers\": {}}}", ":1: ", "no enabled handler"},
    {"AllDisabled", R"("a": {"uri": "zmq://tcp://*:5", "enabled": false})",
     ":1: ", "no enabled handler"},
    {"UnknownAtTheTop", "{\n\"inputs\": {}}", ":2: ", "unknown key \"inputs\""},
    {"UnknownKey", "\"a\": {\"uri\": \"zmq://tcp://*:5\",\n\"sinks\": \"x\"}",
     ":2: ", "handler \"a\": unknown key \"sinks\""},
    {"TwoHandlers", "\"a\": {\"uri\": \"zmq://tcp://*:5\"},\n\"a\": {}",
     ":2: ", "\"a\" is given twice"},
    {"TwoKeys", R"("a": {"proto-lib": "zmq", "proto_lib": "zmq"})", ":1: ", "given twice"},
    {"TwoGroups", "[output.handlers.a]\nuri = zmq://tcp://*:5\n[output.handlers.a]\n",
     ":3: ", "this group is given twice (also on line 1)"},
    {"OtherGroup", "[message-broker]\n", ":1: ", "expected [output.handlers.NAME]"},
    {"NotAnObject", R"("a": "zmq://:s3cret@host")", ":1: ", "handler \"a\": must be an object"},
    {"NoUri", R"("a": {"sink": "events"})", ":1: ", "uri (or proto-lib with conn-str) is missing"},
    {"NoScheme", R"("a": {"uri": "s3cret"})", ":1: ", "must begin with a scheme"},
    {"Both", R"("a": {"uri": "zmq://tcp://*:5", "proto-lib": "zmq"})", ":1: ", "only one of them"},
    {"NoSuchAdaptor", R"("a": {"uri": "nosuch://:s3cret@host"})", ":1: ", "handler \"a\": "},
    {"NumberForUri", R"("a": {"uri": 5})", ":1: ", "uri: must be a string"},
    {"EmptySink", R"("a": {"uri": "zmq://tcp://*:5", "sink": ""})", ":1: ", "sink: is empty"},
    {"PatternAsSink", R"("a": {"uri": "zmq://tcp://*:5", "sink": "a*"})", ":1: ", "in topics"},
    {"Enabled", R"("a": {"uri": "zmq://tcp://*:5", "enabled": "maybe"})",
     ":1: ", "enabled: must be true or false"},
    {"ConfigIsText", R"("a": {"uri": "zmq://tcp://*:5", "config": "s3cret"})",
     ":1: ", "config: must be an object"},
    {"NestedOption", R"("a": {"uri": "zmq://tcp://*:5", "config": {"topic": {}}})",
     ":1: ", "config.topic: must be a string, a number, true or false"},
    {"UnknownOption", R"("a": {"uri": "zmq://tcp://*:5", "config": {"socket_typ": "PUB"}})",
     ":1: ", "unknown option 'socket_typ' (did you mean socket_type"},
    {"BadOption", "\"a\": {\"uri\": \"zmq://tcp://*:5\", \"config\": {\n\"linger\": \"long\"}}",
     ":2: ", "linger = long"},
    {"LineBreakInOption", R"("a": {"uri": "zmq://tcp://*:5", "config": {"topic": "a\nbind=1"}})",
     ":1: ", "a character that an option cannot have"},
    {"DecidedTogether", R"("a": {"uri": "zmq://tcp://*:5", "config": {"connect": "strict"}})",
     ":1: ", "is decided for all handlers together"},
    {"LargeQueue", R"("a": {"uri": "zmq://tcp://*:5", "config": {"queue_size": 100001}})",
     ":1: ", "must be from 1 to 100000"},
    {"MultiInMulti", R"("a": {"uri": "multi:///etc/handlers"})",
     ":1: ", "cannot be another file of destinations"},
    {"BadCondition", R"("a": {"uri": "zmq://tcp://*:5", "when": "a > s"})",
     ":1: ", "compare numbers"},
    {"MissingSecret", R"("a": {"uri": "zmq://${env:DSMSG_NOT_SET}"})",
     ":1: ", "environment variable DSMSG_NOT_SET is not set"},
    {"TooDeep", "{\"output\": [[[[[[[[[[[[[[[[[[[[]", ":1: ", "nested too deeply"},
};
INSTANTIATE_TEST_SUITE_P(Junk, Refused, ::testing::ValuesIn(kRefused),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Handlers, AFileThatIsNotThereIsNamed) {
  const Harness harness("/nonexistent/handlers.json");
  EXPECT_EQ(harness.configured.code(), Code::kInvalidArgument);
  EXPECT_THAT(harness.configured.message(), HasSubstr("/nonexistent/handlers.json"));
}

TEST(Handlers, TheShippedExamplesAreRead) {
  for (const char* name : {"handlers.json", "handlers.txt"}) {
    const Result<Handlers> read = Handlers::Load(std::string(DSMSG_CFG_DIR) + "/" + name);
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(read->all().size(), 2U);
  }
}

// ---------------------------------------------------------------- which messages

Set Chosen(const Handlers& handlers, const std::string& topic, const std::string& payload = "{}") {
  Message message;
  message.topic = topic;
  message.payload = payload;
  return handlers.Fulfilled(handlers.OfTopic(message), payload);
}

TEST(Handlers, SinkIsATopicAndTopicsArePatterns) {
  const Result<Handlers> read = Handlers::Parse(
      Json(R"("default": {"uri": "a://b"}, "alerts": {"uri": "a://b", "sink": "alerts"},
              "patterns": {"uri": "a://b", "topics": "cam/*,door?"},
              "list": {"uri": "a://b", "sink": "alerts", "topics": ["x,y", "*.raw"]})"),
      "test");
  ASSERT_TRUE(read.ok()) << read.status().message();
  const Handlers& handlers = read.value();
  EXPECT_EQ(Chosen(handlers, "events"), Bit(0));
  EXPECT_EQ(Chosen(handlers, "alerts"), Bit(1) | Bit(3));
  EXPECT_EQ(Chosen(handlers, "cam/1/raw"), Bit(2));
  EXPECT_EQ(Chosen(handlers, "door7"), Bit(2));
  EXPECT_EQ(Chosen(handlers, "x,y"), Bit(3));
  EXPECT_EQ(Chosen(handlers, "cam/1.raw"), Bit(2) | Bit(3));
  EXPECT_EQ(Chosen(handlers, "other"), Set{0});
}

TEST(Handlers, ConditionsReadTheField) {
  const auto holds = [](const std::string& when, const std::string& payload) {
    const Result<Handlers> read = Handlers::Parse(
        Json(R"("a": {"uri": "a://b", "topics": "*", "when": ")" + when + "\"}"), "test");
    EXPECT_TRUE(read.ok()) << when << ": " << read.status().message();
    return read.ok() && Chosen(read.value(), "t", payload) == Bit(0);
  };
  const std::string payload =
      R"({"confidence": 0.75, "objects": [{"label": "person"}], "sensor": {"id": "cam-1"}, "n": 10})";
  for (const char* when :
       {"confidence", "confidence > 0.7", "confidence<=0.75", "confidence >= 0.75", "n != 9",
        "objects.0.label = person", "objects.0.label = 'person'", "sensor.id == cam-1", "n = 10.0",
        "n < 11 && sensor.id = cam-1"}) {
    EXPECT_TRUE(holds(when, payload)) << when;
  }
  for (const char* when :
       {"missing", "missing != 1", "confidence > 0.75", "confidence < 0.75", "sensor.id > 1",
        "objects.0.label = car", "n < 11 && sensor.id = cam-2", "n < 9"}) {
    EXPECT_FALSE(holds(when, payload)) << when;
  }
  EXPECT_FALSE(holds("confidence", "not json"));
}

}  // namespace
}  // namespace dsmsg::multi
