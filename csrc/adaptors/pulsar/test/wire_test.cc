// SPDX-License-Identifier: Apache-2.0
// Frames, checksums, names and hashes, without a server.
#include "adaptors/pulsar/wire.h"

#include <gtest/gtest.h>

#include <cstring>

#include "adaptors/pulsar/crc32c.h"
#include "adaptors/pulsar/lookup.h"
#include "adaptors/pulsar/test/standin.h"
#include "adaptors/pulsar/topic.h"

namespace dsmsg::pulsar {
namespace {

// RFC 3720, B.4, and the check value of the algorithm.
TEST(PulsarWire, ChecksumsAreThoseOfTheStandard) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(Crc32c(""), 0U);
}

// The values of java.lang.String.hashCode() and of Murmur3's reference, without their sign bit.
TEST(PulsarWire, KeysAreHashedAsByOtherClients) {
  EXPECT_EQ(JavaHash("abc"), 96354U);
  EXPECT_EQ(JavaHash("camera-1"), 4145386377U & 0x7fffffffU);
  EXPECT_EQ(JavaHash("\xc3\xa9"), 233U);
  EXPECT_EQ(JavaHash("\xf0\x9f\x98\x80"), 31U * 0xd83d + 0xde00);
  EXPECT_EQ(Murmur3(""), 0U);
  EXPECT_EQ(Murmur3("test"), 0xba6bd213U & 0x7fffffffU);
  EXPECT_EQ(Murmur3("Hello, world!"), 0xc0363e43U & 0x7fffffffU);
}

TEST(PulsarWire, NamesOfTopics) {
  const auto full = [](std::string_view topic) {
    const Result<std::string> name = FullName(topic, "public/default");
    return name.ok() ? name.value() : "";
  };
  EXPECT_EQ(full("a"), "persistent://public/default/a");
  EXPECT_EQ(full("t/n/a"), "persistent://t/n/a");
  EXPECT_EQ(full("persistent://t/n/a"), "persistent://t/n/a");
  for (const char* wrong : {"", "a/b", "a/b/c/d", "//a", "t//a", "t/n/", "a\nb", "\xff",
                            "non-persistent://t/n/a", "persistent://a", "http://a"}) {
    EXPECT_EQ(full(wrong), "") << wrong;
  }
}

TEST(PulsarWire, AFrameIsReadWholeOrByteByByte) {
  const std::string frame = Reply(Type::kLookupAnswer, [](protozero::pbf_writer* fields) {
    fields->add_string(1, "pulsar://a:1");
    fields->add_enum(3, 1);
    fields->add_uint64(4, 77);
    fields->add_bool(5, true);
    fields->add_bool(8, true);
  });
  FrameReader reader;
  Command command;
  for (const char byte : frame + frame.substr(0, 5)) {
    EXPECT_EQ(reader.Next(&command), FrameReader::Outcome::kNone);
    *reader.Space(1) = byte;
    reader.Filled(1);
    if (reader.unread().size() == frame.size()) {
      ASSERT_EQ(reader.Next(&command), FrameReader::Outcome::kCommand);
      EXPECT_EQ(command.type, Type::kLookupAnswer);
      EXPECT_EQ(command.url, "pulsar://a:1");
      EXPECT_EQ(command.lookup, LookupType::kConnect);
      EXPECT_EQ(command.request, 77U);
      EXPECT_TRUE(command.authoritative && command.proxied);
    }
  }
}

TEST(PulsarWire, WhatIsNoFrameIsNamed) {
  Message message;
  std::string send, metadata;
  BuildMetadata("p", {1, 1, 1}, 5, &message, &metadata);
  AppendSend(1, {1, 1, 1}, metadata, "payload", &send);
  std::string deliver =
      Reply(Type::kMessage, [](protozero::pbf_writer* f) { f->add_uint64(1, 1); });
  const size_t mark = send.find("\x0e\x01");
  const std::string part = send.substr(mark);
  deliver = WithPart(deliver, part);
  std::string damaged = deliver;
  damaged.back() ^= 1;
  for (const std::string& bytes :
       {std::string("HTTP/1.1 400 Bad Request\r\n"), std::string("\x15\x03\x03\x00\x02\x02\x28", 7),
        std::string("\0\0\0\x03xxx", 7), std::string("\0\0\0\x08\0\0\0\x7f\0\0\0\0", 12),
        std::string("\0\0\0\x07\0\0\0\x03\xff\xff\xff", 11), damaged,
        WithPart(Reply(Type::kMessage, [](auto*) {}), "\x0e\x01")}) {
    FrameReader reader;
    std::memcpy(reader.Space(bytes.size()), bytes.data(), bytes.size());
    reader.Filled(bytes.size());
    Command command;
    EXPECT_EQ(reader.Next(&command), FrameReader::Outcome::kBroken) << bytes;
    EXPECT_NE(std::string(reader.problem()), "");
  }
  FrameReader reader;
  std::memcpy(reader.Space(deliver.size()), deliver.data(), deliver.size());
  reader.Filled(deliver.size());
  Command command;
  ASSERT_EQ(reader.Next(&command), FrameReader::Outcome::kCommand) << reader.problem();
  EXPECT_EQ(command.payload, "payload");
}

TEST(PulsarWire, BatchesAreCutAsTheyWereMade) {
  const Header headers[] = {{"a", "1"}, {"b", ""}};
  Message one, two;
  one.payload = "first";
  one.key = "k";
  one.has_key = true;
  one.headers = headers;
  one.timestamp_ms = 12;
  two.payload = std::string_view("\0\xff", 2);
  std::string batch;
  AppendToBatch(one, 7, &batch);
  AppendToBatch(two, 8, &batch);
  std::string_view rest = batch, payload;
  Metadata metadata;
  ASSERT_TRUE(NextInBatch(&rest, &metadata, &payload));
  EXPECT_EQ(payload, "first");
  EXPECT_EQ(metadata.key, "k");
  EXPECT_EQ(metadata.event_time, 12U);
  EXPECT_EQ(metadata.properties.size(), 2U);
  metadata = {};
  ASSERT_TRUE(NextInBatch(&rest, &metadata, &payload));
  EXPECT_EQ(payload, two.payload);
  EXPECT_FALSE(metadata.has_key);
  EXPECT_TRUE(rest.empty());
  EXPECT_FALSE(NextInBatch(&rest, &metadata, &payload));
  std::string_view cut = std::string_view(batch).substr(0, batch.size() - 1);
  ASSERT_TRUE(NextInBatch(&cut, &metadata, &payload));
  EXPECT_FALSE(NextInBatch(&cut, &metadata, &payload));
}

}  // namespace
}  // namespace dsmsg::pulsar
