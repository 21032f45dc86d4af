// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include "consumer.h"

namespace dsmsg_demo {
namespace {

constexpr char kUsage[] =
    "usage: dsmsg-demo --video FILE [--broker mock|ADAPTOR] [--frames N (0: all)] [--fit] "
    "[--no-outage] "
    "[--detector ELEMENT] [--events FOLDER] [--source FOLDER] [--python PROGRAM]   (make demo runs "
    "it with all that)";

dsmsg::Status Wrong(const std::string& what) {
  return {dsmsg::Code::kInvalidArgument, what + "\n" + kUsage};
}

}  // namespace

dsmsg::Result<DemoOptions> ParseOptions(int argc, char** argv) {
  DemoOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--fit") {
      options.fit = true;
      continue;
    }
    if (name == "--no-outage") {
      options.outage = false;
      continue;
    }
    if (i + 1 >= argc) return Wrong("'" + std::string(name) + "' is unknown or has no value");
    const std::string value = argv[++i];
    if (name == "--broker") {
      options.broker = value;
    } else if (name == "--video") {
      options.video = value;
    } else if (name == "--events") {
      options.events = value;
    } else if (name == "--source") {
      options.source = value;
    } else if (name == "--detector") {
      options.detector = value;
    } else if (name == "--python") {
      options.python = value;
    } else if (name == "--frames") {
      const auto [end, error] =
          std::from_chars(value.data(), value.data() + value.size(), options.frames);
      if (error != std::errc() || end != value.data() + value.size()) {
        return Wrong("FRAMES: '" + value + "' is not a number of frames");
      }
    } else {
      return Wrong("unknown argument '" + std::string(name) + "'");
    }
  }
  if (options.video.empty()) return Wrong("no video was named");
  if (options.broker != "mock" && FindServer(options.broker) == nullptr) {
    std::string known = "mock";
    for (const std::string& adaptor : RegisteredAdaptors()) known += ", " + adaptor;
    return Wrong("BROKER: '" + options.broker + "' is not one of " + known);
  }
  return options;
}

}  // namespace dsmsg_demo
