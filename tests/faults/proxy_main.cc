// SPDX-License-Identifier: Apache-2.0
// A proxy with the faults of a network, as a program.
//
//   dsmsg_fault_proxy TARGET_PORT [PORT]
//
// Prints its port, then answers each line of standard input with one line: "open", "cut", "reset",
// "stall" and "vanish" set the mode (see cut_proxy.h), "slow MILLISECONDS BYTES_PER_SECOND" slows
// an open proxy down; the answer is "ok". "attempts" is answered with the milliseconds of the
// steady clock at which connections came. The end of the input ends it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include "cut_proxy.h"

namespace {

using dsmsg::conformance::CutProxy;

std::string Answer(CutProxy& proxy, const std::string& line) {
  static const std::map<std::string, CutProxy::Mode> modes = {{"open", CutProxy::Mode::kOpen},
                                                              {"cut", CutProxy::Mode::kCut},
                                                              {"reset", CutProxy::Mode::kReset},
                                                              {"stall", CutProxy::Mode::kStall},
                                                              {"vanish", CutProxy::Mode::kVanish}};
  std::istringstream words(line);
  std::string command;
  words >> command;
  if (const auto mode = modes.find(command); mode != modes.end()) {
    proxy.Become(mode->second);
    return "ok";
  }
  if (command == "slow") {
    long delay = 0;
    size_t rate = 0;
    if (!(words >> delay >> rate)) return "error: slow MILLISECONDS BYTES_PER_SECOND";
    proxy.SlowDown(std::chrono::milliseconds(delay), rate);
    return "ok";
  }
  if (command == "attempts") {
    std::string times = "ok";
    for (const auto& at : proxy.Attempts()) {
      const auto since =
          std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch());
      times += ' ' + std::to_string(since.count());
    }
    return times;
  }
  return "error: there is no command '" + command + "'";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: dsmsg_fault_proxy TARGET_PORT [PORT]\n");
    return 2;
  }
  try {
    const auto target = static_cast<uint16_t>(std::stoul(argv[1]));
    const auto port = static_cast<uint16_t>(argc > 2 ? std::stoul(argv[2]) : 0);
    CutProxy proxy(target, port);
    std::cout << proxy.port() << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
      std::cout << Answer(proxy, line) << std::endl;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fault proxy: %s\n", error.what());
    return 1;
  }
  return 0;
}
