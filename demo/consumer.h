// SPDX-License-Identifier: Apache-2.0
// The other side of the broker: reads back what arrived, with the client library alone and no code
// of dsmsg, so that it is a proof. One thread.
#ifndef DSMSG_DEMO_CONSUMER_H_
#define DSMSG_DEMO_CONSUMER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "target.h"

namespace dsmsg_demo {

class Consumer {
 public:
  using OnMessage = std::function<void(std::string_view payload)>;
  virtual ~Consumer() = default;
  /// Calls `on_message` for what came within `budget`.
  virtual dsmsg::Status Poll(std::chrono::milliseconds budget, const OnMessage& on_message) = 0;
};

/// Makes a consumer that gets everything sent to the topic after this returns. Without a server,
/// the adaptor connects to the consumer, which says where in `target`.
using ConsumerMaker = dsmsg::Result<std::unique_ptr<Consumer>> (*)(Target& target,
                                                                   const std::string& topic);
/// Each <name>_consumer.cc that is built registers its maker under the adaptor's name, and the
/// server that is started for it (none: the consumer is the other end).
bool RegisterConsumer(const char* adaptor, ConsumerMaker maker, const ServerKind& server);
dsmsg::Result<std::unique_ptr<Consumer>> OpenConsumer(Target& target, const std::string& topic);
/// What was registered, or null.
const ServerKind* FindServer(const std::string& adaptor);
/// The adaptors that are registered, sorted.
std::vector<std::string> RegisteredAdaptors();

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_CONSUMER_H_
