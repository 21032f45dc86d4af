// SPDX-License-Identifier: Apache-2.0
// CONTRACT section 5: the forms of a connection string, the environment.
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Section5_ConnectionStrings);
CONFORMANCE_SUITE(Section5_PasswordFromEnvironment);
CONFORMANCE_SUITE(Section5_JsonDumpFile);
CONFORMANCE_SUITE(Section5_SensorIdExtraction);

TEST_P(Section5_ConnectionStrings, EveryFormLeadsToTheBroker) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), port = std::to_string(server.port());
  std::vector<ConnectionForm> forms = {
      {"HostPort", server.host() + ";" + port, {}},
      {"HostColonPort", server.address(), {}},
      {"OlderFormWithTopic", quirks().WithTopic(server, topic), {}},
      {"NullTakesTheFile", "", {"hostname=" + server.host(), "port=" + port}, false},
      {"EmptyTakesTheFile", "", {"hostname=" + server.host(), "port=" + port}},
      {"HostName", "localhost;" + port, {}}};
  for (ConnectionForm& form : quirks().ConnectionForms(server)) forms.push_back(std::move(form));
  for (const ConnectionForm& form : forms) {
    SCOPED_TRACE(form.name);
    std::optional<std::string> connection;
    if (form.has_connection) connection = form.connection;
    const Link link = Link::Open(adaptor(), connection, WriteConfig(form.config));
    EXPECT_TRUE(link.ok()) << adaptor().LastError();
    if (!link.ok()) continue;
    EXPECT_EQ(link.Send(topic, form.name), NVDS_MSGAPI_OK);
    Close(link);
  }
  std::set<std::string> found, expected;
  for (const Received& message : quirks().ReadAll(server, topic)) found.insert(message.payload);
  for (const ConnectionForm& form : forms) expected.insert(form.name);
  EXPECT_EQ(found, expected);
}

TEST_P(Section5_ConnectionStrings, TheThirdFieldIsADefaultTopic) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), other = NewTopic(server);
  const Link link = ConnectTo(quirks().WithTopic(server, topic), {});
  const uint8_t byte = 'd';
  char empty[] = "";
  EXPECT_EQ(adaptor().f.send(link.handle(), nullptr, &byte, 1), NVDS_MSGAPI_OK);
  EXPECT_EQ(adaptor().f.send(link.handle(), empty, &byte, 1), NVDS_MSGAPI_OK);
  EXPECT_EQ(link.Send(other, "o"), NVDS_MSGAPI_OK);
  Close(link);
  EXPECT_EQ(quirks().ReadAll(server, topic).size(), 2u);
  EXPECT_EQ(quirks().ReadAll(server, other).size(), 1u);
}

TEST_P(Section5_ConnectionStrings, TheOptionTopicIsADefaultTopic) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = Connect(server, {"topic=" + topic});
  const uint8_t byte = 'd';
  EXPECT_EQ(adaptor().f.send(link.handle(), nullptr, &byte, 1), NVDS_MSGAPI_OK);
  Close(link);
  EXPECT_EQ(quirks().ReadAll(server, topic).size(), 1u);
}

TEST_P(Section5_ConnectionStrings, Ipv6InBrackets) {
  for (const char* text : {"[::1]:6553", "[::1];6553"}) {
    const Link link = ConnectTo(text, {"connect=lazy", "flush-timeout=50ms"});
    EXPECT_TRUE(Contains(link.GetStats().json(), "[::1]:6553")) << link.GetStats().json();
    Close(link);
  }
}

TEST_P(Section5_ConnectionStrings, WhatDoesNotParseSaysWhatWasExpected) {
  for (const std::string text : {"justahost;", ";", ";;", "host;port", "host;70000", "host;-1",
                                 "host;0", "host;12x", "host:", "ftp://host:1", "://", "[::1:6379",
                                 "a:1,,b:2", ";6379", "host;1;topic;more;fields", "host; ;"}) {
    if (quirks().fields_are_login() && text == "host;1;topic;more;fields") continue;
    const size_t mark = LogCapture::Mark();
    const Millis took = Timed([&] {
      EXPECT_FALSE(Link::Open(adaptor(), text, WriteConfig({"connect=lazy"})).ok()) << text;
    });
    EXPECT_LT(took, Bound(1s)) << "nothing is tried with '" << text << "'";
    const std::string log = LogCapture::Since(mark);
    EXPECT_TRUE(Contains(log, "expected") || Contains(log, "for example")) << text << ": " << log;
  }
}

TEST_P(Section5_PasswordFromEnvironment, OverridesTheFile) {
  Server& server = quirks().faulty();
  const std::string topic = NewTopic(server);
  quirks().RequirePassword(server, "from-environment");
  const std::string config = WriteConfig({"password=from-file", "connect-timeout=2s"});
  EXPECT_FALSE(Link::Open(adaptor(), Connection(server), config).ok());
  {
    const ScopedEnvironment environment({{"PASSWORD_" + quirks().protocol(), "from-environment"}});
    const Link link = Link::Open(adaptor(), Connection(server), config);
    EXPECT_TRUE(link.ok()) << Log();
    if (link.ok()) {
      EXPECT_EQ(link.Send(topic, "x"), NVDS_MSGAPI_OK);
      Close(link);
    }
  }
  quirks().RequirePassword(server, "");
}

TEST_P(Section5_JsonDumpFile, PayloadsGoToTheFileAndNoBrokerIsContacted) {
  const BadServer silent(BadServer::Mode::kSilent);
  const std::string path = WriteFile(""), config = WriteConfig({});
  Ledger& ledger = NewLedger();
  {
    const ScopedEnvironment environment({{"NVDS_JSON_DUMP_FILE", path}});
    const Link link = Link::Open(adaptor(), "127.0.0.1;" + std::to_string(silent.port()), config);
    ASSERT_TRUE(link.ok()) << Log();
    SendMany(link, ledger, "any", 100);
    ASSERT_TRUE(Pump(link, ledger));
    EXPECT_EQ(link.Send("any", "{\"last\":1}"), NVDS_MSGAPI_OK);
    Close(link);
  }
  ExpectAllOk(ledger, 100);
  EXPECT_EQ(silent.connections(), 0u);
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 101u);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(lines[i], ledger[i].payload);
  EXPECT_EQ(lines[100], "{\"last\":1}");
}

TEST_P(Section5_SensorIdExtraction, KeyAndValueAreStored) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), config = WriteConfig({});
  const std::string full = R"({"sensor":{"id":"cam-full"}})",
                    minimal = R"({"sensorId":"cam-minimal"})";
  const std::string none = R"({"nothing":1})";
  {
    const ScopedEnvironment environment({{"DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION", "1"},
                                         {"DEEPSTREAM_SENSOR_ID", "cam-environment"}});
    const Link link = Link::Open(adaptor(), Connection(server), config);
    ASSERT_TRUE(link.ok()) << Log();
    for (const std::string& payload : {full, minimal, none}) {
      EXPECT_EQ(link.Send(topic, payload), NVDS_MSGAPI_OK);
    }
    Close(link);
  }
  const auto found = quirks().ReadAll(server, topic);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].payload, full);
  EXPECT_EQ(found[0].key, "cam-full");
  EXPECT_EQ(found[1].payload, minimal);
  EXPECT_EQ(found[1].key, "cam-minimal");
  EXPECT_EQ(found[2].key, "cam-environment");
}

}  // namespace
}  // namespace dsmsg::conformance
