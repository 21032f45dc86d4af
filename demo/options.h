// SPDX-License-Identifier: Apache-2.0
// The demo's command line. Values.
#ifndef DSMSG_DEMO_OPTIONS_H_
#define DSMSG_DEMO_OPTIONS_H_

#include <string>

#include "core/base/status.h"

namespace dsmsg_demo {

struct DemoOptions {
  std::string broker = "mock";  // or an adaptor with a consumer
  std::string video;            // a file
  bool fit = false;             // scale a video of unknown size to what the detector can do
  unsigned frames = 300;        // 0: the whole video
  bool outage = true;           // the broker is killed in the middle, if it can be
  std::string detector = "dsmsgpeopledetect";  // an element; another one for tests
  std::string source = ".";                    // the repository: demo/msgconv.txt, python/
  // With the lines and zones of demo/space.yaml; this folder gets the events' pictures, and the
  // messages. Empty: without.
  std::string events;
  std::string python = "python3";  // runs dsmsg.brokers
};

/// Where the pictures of `options.events` are.
inline std::string PictureFolder(const DemoOptions& options) {
  return options.events + "/pictures";
}

/// An error is the usage.
dsmsg::Result<DemoOptions> ParseOptions(int argc, char** argv);

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_OPTIONS_H_
