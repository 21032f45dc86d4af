// SPDX-License-Identifier: Apache-2.0
// A separate folder for every test process: ctest runs many at once, and several presets may run
// side by side, so a file of a fixed name in testing::TempDir() would be shared.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace {

class OwnTempDir {
 public:
  OwnTempDir() {
    if (getenv("TEST_TMPDIR") != nullptr) return;  // the caller's, or that of the test that forked
    std::string folder = std::filesystem::temp_directory_path() / "dsmsg_test_XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) return;
    folder_ = folder + "/";
    setenv("TEST_TMPDIR", folder_.c_str(), 1);
  }
  ~OwnTempDir() {
    std::error_code ignored;
    if (!folder_.empty() && owner_ == getpid()) std::filesystem::remove_all(folder_, ignored);
  }

 private:
  const pid_t owner_ = getpid();
  std::string folder_;
};

const OwnTempDir own_temp_dir;

}  // namespace
