// SPDX-License-Identifier: Apache-2.0
#include "core/base/library_package.h"

#include <gtest/gtest.h>

namespace dsmsg {
namespace {

TEST(LibraryPackage, FollowsDebiansRule) {
  EXPECT_EQ(PackageOfLibrary("librdkafka.so.1"), "librdkafka1");
  EXPECT_EQ(PackageOfLibrary("libhiredis.so.0.14"), "libhiredis0.14");
  EXPECT_EQ(PackageOfLibrary("libhiredis.so.1.1.0"), "libhiredis1.1.0");
  EXPECT_EQ(PackageOfLibrary("libsqlite3.so.0"), "libsqlite3-0");
  EXPECT_EQ(PackageOfLibrary("libglib-2.0.so.0"), "libglib2.0-0");
  EXPECT_EQ(PackageOfLibrary("libssl.so"), "");
  EXPECT_EQ(PackageOfLibrary("/a/path"), "");
}

}  // namespace
}  // namespace dsmsg
