// SPDX-License-Identifier: Apache-2.0
// The other side of the broker: reads back what arrived, with the client library alone and nothing
// of dsmsg's, so that it proves something. One thread.
#ifndef DSMSG_DEMO_CONSUMER_H_
#define DSMSG_DEMO_CONSUMER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/status.h"

namespace dsmsg_demo {

class Consumer {
 public:
  using OnMessage = std::function<void(std::string_view payload)>;
  virtual ~Consumer() = default;
  /// Calls `on_message` for what came within `budget`.
  virtual dsmsg::Status Poll(std::chrono::milliseconds budget, const OnMessage& on_message) = 0;
};

/// Reads the topic from its beginning; makes it if there is none.
dsmsg::Result<std::unique_ptr<Consumer>> OpenKafkaConsumer(const std::string& address,
                                                           const std::string& topic);
/// Reads the stream from its beginning.
dsmsg::Result<std::unique_ptr<Consumer>> OpenRedisConsumer(const std::string& host, int port,
                                                           const std::string& stream);

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_CONSUMER_H_
