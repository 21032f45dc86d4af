// SPDX-License-Identifier: Apache-2.0
#include "core/base/library_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace dsmsg {
namespace {

/// A copy of this program's beginning as a file for another kind of machine.
class ForeignLibrary {
 public:
  ForeignLibrary() {
    std::ifstream self("/proc/self/exe", std::ios::binary);
    std::string head(64, '\0');
    self.read(head.data(), 64);
    const bool arm = MachineOfLibrary("/proc/self/exe") == "aarch64";
    head[18] = static_cast<char>(arm ? 62 : 183);
    const int file = mkstemp(path_.data());
    EXPECT_GE(file, 0);
    close(file);
    std::ofstream(path_, std::ios::binary) << head;
  }
  ~ForeignLibrary() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "libXXXXXX";
};

TEST(LibraryError, AFileForAnotherMachineIsNotSaidToBeMissing) {
  const ForeignLibrary library;
  const std::string text = ExplainLoadError(
      library.path(),
      library.path() + ": cannot open shared object file: No such file or directory");
  EXPECT_THAT(text, testing::StartsWith("cannot load " + library.path() + ": it is for "));
  EXPECT_THAT(text, testing::HasSubstr(", and this process is "));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("No such file")));
}

TEST(LibraryError, NamesTheCure) {
  EXPECT_EQ(ExplainLoadError("/a.so", "/a.so: cannot open shared object file: No such file"),
            "cannot load /a.so: /a.so: cannot open shared object file: No such file (is the path "
            "right?)");
  EXPECT_EQ(
      ExplainLoadError("/a.so", "librdkafka.so.1: cannot open shared object file: No such file"),
      "cannot load /a.so: librdkafka.so.1: cannot open shared object file: No such file (the "
      "adaptor needs librdkafka.so.1; Debian, Ubuntu: apt install librdkafka1)");
  EXPECT_EQ(ExplainLoadError("/a.so", "/a.so: invalid ELF header"),
            "cannot load /a.so: /a.so: invalid ELF header (the file is not a library)");
  EXPECT_EQ(ExplainLoadError("/a.so", "/a.so: undefined symbol: f"),
            "cannot load /a.so: /a.so: undefined symbol: f");
}

TEST(LibraryError, ATextIsForNoMachine) { EXPECT_EQ(MachineOfLibrary("/proc/self/status"), ""); }

TEST(LibraryError, PackagesFollowDebiansRule) {
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
