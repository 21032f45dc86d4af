// SPDX-License-Identifier: Apache-2.0
// Messages of a frame, for tests of what is in them.
#ifndef DSMSG_MSGCONV_TESTS_RENDER_H_
#define DSMSG_MSGCONV_TESTS_RENDER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json_check.h"
#include "msgconv/converter.h"

namespace dsmsg_test {

/// What a file with this text configures.
inline std::shared_ptr<const dsmsg::msgconv::ConvConfig> ConfigOf(std::string_view text) {
  const auto config = dsmsg::msgconv::ConvConfig::Parse(text, "cam.txt");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return std::make_shared<dsmsg::msgconv::ConvConfig>(config.value());
}

inline std::vector<std::string> RenderAll(dsmsg::msgconv::PayloadMaker* maker,
                                          const dsmsg::msgconv::Frame& frame) {
  std::vector<std::string> all;
  for (size_t i = 0, n = maker->Count(frame); i < n; ++i) all.emplace_back(maker->Render(frame, i));
  return all;
}

/// All messages, made with this configuration.
inline std::vector<std::string> RenderAll(const dsmsg::msgconv::ConverterOptions& options,
                                          const dsmsg::msgconv::Frame& frame,
                                          std::string_view config = "") {
  return RenderAll(MakeConverter(ConfigOf(config), options).get(), frame);
}

/// The first of them.
inline std::string Rendered(const dsmsg::msgconv::ConverterOptions& options,
                            const dsmsg::msgconv::Frame& frame, std::string_view config = "") {
  return RenderAll(options, frame, config).at(0);
}

}  // namespace dsmsg_test

#endif  // DSMSG_MSGCONV_TESTS_RENDER_H_
