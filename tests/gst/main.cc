// SPDX-License-Identifier: Apache-2.0
// A GStreamer with its own registry and the plugins of the build tree.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "nvidia.h"

// GLib makes its table of quarks in its library's constructor, and leaves it behind on purpose once
// there are more than 2048 of them (readers take no lock). Only whole stacks show that the dynamic
// linker called it.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "fast_unwind_on_malloc=0";
}
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:ld-linux\n";
}

namespace {

/// NVIDIA's libraries need each other by file name: the loader looks for them only where its
/// environment said when the program began, so it begins again.
void LetLoaderFindNvidia(char** argv) {
  const char* const before = getenv("LD_LIBRARY_PATH");
  const std::string paths = before == nullptr ? "" : before;
  const std::string folder = dsmsg_test::nvidia::Folder();
  if (folder.empty() || paths.find(folder) != std::string::npos) return;
  setenv("LD_LIBRARY_PATH", (folder + (paths.empty() ? "" : ":") + paths).c_str(), 1);
  execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  LetLoaderFindNvidia(argv);
  testing::InitGoogleTest(&argc, argv);
  setenv("GST_REGISTRY", DSMSG_TEST_REGISTRY, 0);
  setenv("DSMSG_LIB_DIR", DSMSG_TEST_FAKE_DIR, 1);
  if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  // Not in GST_PLUGIN_PATH: GStreamer's scanner, a program of its own, is not built with a
  // sanitizer and cannot load plugins that are. The system's plugins are looked at by it, ours
  // here.
  unsetenv("GST_PLUGIN_PATH");
  gst_init(&argc, &argv);
  gst_registry_fork_set_enabled(FALSE);
  gst_registry_scan_path(gst_registry_get(), DSMSG_TEST_PLUGIN_DIR);
  return RUN_ALL_TESTS();
}
