// SPDX-License-Identifier: Apache-2.0
#include "bridge/message_template.h"

#include <gtest/gtest.h>

namespace dsmsg::bridge {
namespace {

const uint8_t* Bytes(const char* text) { return reinterpret_cast<const uint8_t*>(text); }

class MessageTemplateTest : public ::testing::Test {
 protected:
  MessageTemplateTest() {
    message_.size = sizeof message_;
    message_.topic = "sensors/hall/telemetry";
    SetPayload("value");
    message_.key = Bytes("key");
    message_.key_len = 3;
    message_.headers = headers_;
    message_.num_headers = 1;
    message_.timestamp_ms = 1679665968238;
    message_.timestamp_type = DSMSG_TIMESTAMP_CREATE;
    message_.offset = 2;
    message_.partition = 0;
    message_.id = "";
  }
  void SetPayload(std::string text) {
    payload_ = std::move(text);
    message_.payload = Bytes(payload_.data());
    message_.payload_len = payload_.size();
  }
  std::string Render(std::string_view text) const {
    const Result<MessageTemplate> compiled = MessageTemplate::Compile(text);
    if (!compiled.ok()) return compiled.status().message();
    std::string out;
    compiled->Render(message_, how_, &out);
    return out;
  }

  std::string payload_;
  DsmsgReceivedHeader headers_[2] = {{"header_key", Bytes("header_value"), 12},
                                     {"header_key", Bytes("later"), 5}};
  DsmsgReceived message_{};
  Rendering how_;
};

TEST_F(MessageTemplateTest, AllOfItIsJson) {
  EXPECT_EQ(Render("${.}"), R"({"value":"value","ts_type":"create","ts":1679665968238,)"
                            R"("topic":"sensors/hall/telemetry","offset":2,"key":"key",)"
                            R"("headers":{"header_key":"header_value"}})");
}

TEST_F(MessageTemplateTest, HasEveryField) {
  EXPECT_EQ(Render("${.value} ${.key} ${.headers.header_key} ${.topic} ${.ts} ${.ts_type}"),
            "value key header_value sensors/hall/telemetry 1679665968238 create");
  EXPECT_EQ(Render("${offset}/${partition}/${value}"), "2/0/value");
}

TEST_F(MessageTemplateTest, TakesTheTopicApart) {
  EXPECT_EQ(Render("site.${topic[1]}.${topic[-1]}"), "site.hall.telemetry");
  EXPECT_EQ(Render("${topic[3]}${topic[-4]}"), "");
  how_.separator = '.';
  message_.topic = "a.b";
  EXPECT_EQ(Render("${topic[1]}"), "b");
  message_.topic = "";
  EXPECT_EQ(Render("${topic[0]}"), "");
}

TEST_F(MessageTemplateTest, WhatIsAbsentIsEmpty) {
  message_.key = nullptr;
  message_.key_len = 0;
  message_.num_headers = 0;
  message_.timestamp_ms = message_.offset = message_.partition = -1;
  message_.timestamp_type = DSMSG_TIMESTAMP_UNKNOWN;
  EXPECT_EQ(Render("<${.key}${.headers.h1}${.ts}${.offset}${.partition}${.id}${.value.x}>"), "<>");
  EXPECT_EQ(Render("${.ts_type}"), "undefined");
  EXPECT_EQ(Render("${.}"),
            R"({"value":"value","ts_type":"undefined","ts":null,)"
            R"("topic":"sensors/hall/telemetry","offset":null,"key":"","headers":{}})");
}

TEST_F(MessageTemplateTest, EncodesKeyAndValue) {
  how_.key = how_.value = Encoding::kBase64;
  EXPECT_EQ(Render("${.key} ${.value}"), "a2V5 dmFsdWU=");
  EXPECT_EQ(Render("${.}").find(R"({"value":"dmFsdWU=",)"), 0u);
  SetPayload("");
  EXPECT_EQ(Render("<${.value}>"), "<>");
}

TEST_F(MessageTemplateTest, KeepsBytesAndMakesJsonText) {
  SetPayload(std::string("a\0\xff", 3));
  EXPECT_EQ(Render("${.value}"), std::string("a\0\xff", 3));
  EXPECT_EQ(Render("${.}").find("{\"value\":\"a\xEF\xBF\xBD\xEF\xBF\xBD\","), 0u) << Render("${.}");
}

TEST_F(MessageTemplateTest, TheLastHeaderOfANameCounts) {
  message_.num_headers = 2;
  EXPECT_EQ(Render("${.headers.header_key}"), "later");
  EXPECT_NE(Render("${.}").find(R"("headers":{"header_key":"later"}})"), std::string::npos);
}

TEST_F(MessageTemplateTest, LooksIntoThePayload) {
  SetPayload(R"({"device":{"id":7,"name":"cam"}})");
  EXPECT_EQ(Render("device-${.value.device.id}/${value.device.name}"), "device-7/cam");
}

TEST_F(MessageTemplateTest, ADollarSignIsText) {
  EXPECT_EQ(Render("$SYS $${.value} 5$"), "$SYS ${.value} 5$");
}

TEST_F(MessageTemplateTest, SaysWhatIsWrong) {
  EXPECT_EQ(Render("a ${.value"), "the ${ at position 2 has no closing }");
  EXPECT_EQ(
      Render("a ${.valeu}").find("there is no field ${.valeu} at position 2 (there are ${.},"), 0u);
  for (const char* wrong : {"${}", "${topic[]}", "${topic[x]}", "${topic[1}", "${headers.}"}) {
    EXPECT_EQ(Render(wrong).find("there is no field "), 0u) << wrong;
  }
}

TEST_F(MessageTemplateTest, AnOlderAdaptorTellsNoTypeOfTime) {
  message_.size = offsetof(DsmsgReceived, timestamp_type);
  EXPECT_EQ(Render("${.ts_type}"), "undefined");
}

}  // namespace
}  // namespace dsmsg::bridge
