// SPDX-License-Identifier: Apache-2.0
// A GStreamer with a registry of its own and the plugins of the build tree.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdlib>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  setenv("GST_REGISTRY", DSMSG_TEST_REGISTRY, 0);
#ifdef DSMSG_SANITIZED
  // The scanner's helper program is not built with the sanitizer and could not load our plugins.
  setenv("GST_REGISTRY_FORK", "no", 1);
#endif
  setenv("GST_PLUGIN_PATH", DSMSG_TEST_PLUGIN_DIR, 1);
  setenv("DSMSG_LIB_DIR", DSMSG_TEST_FAKE_DIR, 1);
  if (!testing::GTEST_FLAG(list_tests)) gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
