// SPDX-License-Identifier: Apache-2.0
// Names of messages as text.
#include "core/driver/message_id.h"

#include <gtest/gtest.h>

namespace dsmsg {
namespace {

TEST(MessageId, TextAndBack) {
  const MessageId id = {0xfeedULL, 0x1f};
  EXPECT_EQ(id.ToString(), "000000000000feed-1f");
  EXPECT_EQ(MessageId::Parse(id.ToString()), id);
  const MessageId largest = {~uint64_t{0}, ~uint64_t{0}};
  EXPECT_EQ(MessageId::Parse(largest.ToString()), largest);
}

TEST(MessageId, AnyOtherTextIsNone) {
  for (const char* text : {"", "-", "feed-1", "000000000000feed", "000000000000feed-",
                           "000000000000feed-0", "000000000000feed-1x", "00000000000xfeed-1",
                           "000000000000feed-11111111111111111", "000000000000feed_1"}) {
    EXPECT_TRUE(MessageId::Parse(text).empty()) << text;
  }
}

TEST(MessageId, OriginsDiffer) { EXPECT_NE(MessageId::NewOrigin(), MessageId::NewOrigin()); }

}  // namespace
}  // namespace dsmsg
