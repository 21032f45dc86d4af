// SPDX-License-Identifier: Apache-2.0
#include "core/base/encoding.h"

#include <gtest/gtest.h>

#include "core/base/digest.h"

namespace dsmsg {
namespace {

TEST(EncodingTest, Base64) {
  const std::string bytes("\0\xff\x80", 3);
  EXPECT_EQ(ToBase64(bytes), "AP+A");
  for (const std::string& text : {std::string(), std::string("a"), std::string("ab"), bytes}) {
    EXPECT_EQ(FromBase64(ToBase64(text)), text);
  }
}

TEST(EncodingTest, WhatIsNotBase64) {
  for (const char* bad : {"a", "abc", "ab=c", "a===", "====", "ab!=", "YWJj ", " YWJj", "YWJj\n",
                          "YW=j", "YW==YWJj", "YWJ_"}) {
    EXPECT_FALSE(FromBase64(bad)) << bad;
  }
}

TEST(EncodingTest, Hexadecimal) {
  EXPECT_EQ(ToHex(std::string_view("\0\x7f\xff", 3)), "007fff");
  EXPECT_EQ(ToHex(""), "");
}

TEST(EncodingTest, Percent) {
  std::string printable;
  for (char c = ' '; c < 0x7f; ++c) printable += c;
  EXPECT_EQ(PercentEncoded(printable),
            "%20%21%22%23%24%25%26%27%28%29%2A%2B%2C-.%2F0123456789%3A%3B%3C%3D%3E%3F%40"
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ%5B%5C%5D%5E_%60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~");
  EXPECT_EQ(PercentEncoded("\t\n\r\xc3\xa9"), "%09%0A%0D%C3%A9");
  std::string path = "x=";
  AppendPercentEncoded("a/b$c d", "/$", &path);
  EXPECT_EQ(path, "x=a/b$c%20d");
  for (int c = 0; c < 256; ++c) {
    const std::string text(1, static_cast<char>(c));
    EXPECT_EQ(PercentDecoded(PercentEncoded(text)), text);
  }
  EXPECT_EQ(PercentDecoded("a+b%2f"), "a+b/");
  for (const char* bad : {"%", "%4", "%4g", "a%", "%-1"}) EXPECT_FALSE(PercentDecoded(bad)) << bad;
}

// Vectors of FIPS 180-2 and RFC 4231.
TEST(EncodingTest, Digests) {
  EXPECT_EQ(ToBase64(Sha256("abc")), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(ToBase64(HmacSha256("Jefe", "what do ya want for nothing?")),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
}

}  // namespace
}  // namespace dsmsg
