// SPDX-License-Identifier: Apache-2.0
// Rule 13: connection_signature. Rule 14: secrets appear nowhere; a last field that is no topic
// counts as absent.
#include "fixture.h"

namespace dsmsg::conformance {
namespace {

CONFORMANCE_SUITE(Rule13_Signature);
CONFORMANCE_SUITE(Rule14_Secrets);

TEST_P(Rule13_Signature, EmptyUnlessSharingIsAskedFor) {
  const std::string connection = quirks().SignatureForms().connection;
  EXPECT_EQ(adaptor().Signature(connection, ""), "");
  EXPECT_EQ(adaptor().Signature(connection, WriteConfig({})), "");
  EXPECT_EQ(adaptor().Signature(connection, WriteConfig({"share-connection=0"})), "");
}

TEST_P(Rule13_Signature, OverTheParsedSettings) {
  const auto forms = quirks().SignatureForms();
  const auto sign = [&](const std::string& connection, Lines lines) {
    lines.insert(lines.begin(), "share-connection=1");
    return adaptor().Signature(connection, WriteConfig(lines));
  };
  const std::string reference = sign(forms.connection, {});
  EXPECT_EQ(reference.size(), 64u) << reference;
  EXPECT_EQ(reference.find_first_not_of("0123456789abcdef"), std::string::npos) << reference;
  EXPECT_EQ(sign(forms.connection, {}), reference);
  EXPECT_EQ(sign(forms.same, {}), reference) << "the same settings written differently";
  EXPECT_EQ(sign(forms.connection, {"queue-size=100000"}), reference) << "the default, written out";
  EXPECT_EQ(sign(forms.connection, {"queue_size = \"100000\""}), reference);
  EXPECT_EQ(sign(forms.connection, {"connect-timeout=5000"}),
            sign(forms.connection, {"connect-timeout=5s"}));
  EXPECT_EQ(sign(forms.connection, {"log-level=debug"}), reference) << "all but the log level";
  EXPECT_NE(sign(forms.different, {}), reference);
  EXPECT_NE(sign(forms.connection, {"queue-size=99999"}), reference);
  EXPECT_NE(sign(forms.connection, {"topic=other"}), reference);
}

TEST_P(Rule13_Signature, DependsOnThePassword) {
  const std::string connection = quirks().SignatureForms().connection;
  const auto sign = [&](const std::string& password) {
    return adaptor().Signature(connection,
                               WriteConfig({"share-connection=1", "password=" + password}));
  };
  EXPECT_NE(sign("one"), sign("two"));
  EXPECT_EQ(sign("one"), sign("one"));
}

TEST_P(Rule13_Signature, WhatDoesNotParseIsErr) {
  EXPECT_EQ(adaptor().Signature("host;notaport", WriteConfig({"share-connection=1"})), "ERR");
  EXPECT_EQ(adaptor().Signature("host;1234", "/no/such/file"), "ERR");
}

// Every way to hand over a password, at the most talkative level, with and without success.
TEST_P(Rule14_Secrets, InNoOutput) {
  Server& server = quirks().shared();
  const std::string secret = "s3cr3t-Zaphod-42";
  std::string output = adaptor().f.describe();
  for (SecretCase& item : quirks().SecretCases(server, secret)) {
    SCOPED_TRACE(item.name);
    const size_t mark = LogCapture::Mark();
    Lines lines = std::move(item.config);
    lines.insert(lines.end(), {"log-level=debug", "connect-timeout=2s", "share-connection=1"});
    const std::string config = WriteConfig(lines);
    std::string seen;
    {
      const ScopedEnvironment environment(item.environment);
      seen += adaptor().Signature(item.connection, config);
      const Link link = Link::Open(adaptor(), item.connection, config);
      seen += adaptor().LastError();
      if (link.ok()) {
        EXPECT_EQ(link.Send("", "x") == NVDS_MSGAPI_OK, quirks().topic_optional());
        seen += adaptor().LastError(link.handle()) + link.GetStats().json();
        Close(link);
      }
    }
    seen += LogCapture::Since(mark);
    EXPECT_FALSE(Contains(seen, secret)) << seen;
    EXPECT_FALSE(Contains(seen, "Zaphod")) << "a part of it: " << seen;
    output += seen;
  }
  EXPECT_FALSE(Contains(output, secret));
}

// Host A passes what follows the last ';' as topic: here the port.
TEST_P(Rule14_Secrets, ALastFieldThatIsNoTopicCountsAsAbsent) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server), port = std::to_string(server.port());
  const Link with_default = Connect(server, {"topic=" + topic});
  EXPECT_EQ(with_default.Send(port, "to the default topic"), NVDS_MSGAPI_OK);
  Ledger& ledger = NewLedger();
  Record& record = ledger.Add(port, "", "and this");
  EXPECT_EQ(with_default.SendAsync(record), NVDS_MSGAPI_OK);
  EXPECT_TRUE(Pump(with_default, ledger));
  EXPECT_EQ(record.flag, NVDS_MSGAPI_OK);
  Close(with_default);
  EXPECT_EQ(quirks().ReadAll(server, topic).size(), 2u);
  const Link without = Connect(server);
  EXPECT_EQ(without.Send(port, "nowhere") == NVDS_MSGAPI_OK, quirks().topic_optional());
  Close(without);
}

// The third field is a topic, and the host passes it too.
TEST_P(Rule14_Secrets, ALastFieldThatIsATopicIsUsed) {
  Server& server = quirks().shared();
  const std::string topic = NewTopic(server);
  const Link link = ConnectTo(quirks().WithTopic(server, topic), {});
  EXPECT_EQ(link.Send(topic, "as topic"), NVDS_MSGAPI_OK);
  Close(link);
  EXPECT_EQ(quirks().ReadAll(server, topic).size(), 1u);
}

}  // namespace
}  // namespace dsmsg::conformance
