// SPDX-License-Identifier: Apache-2.0
// Receives from streams through pull consumers, at least once: a message is acknowledged after its
// callback. Only as much is asked for as there is room, so nothing is dropped for being slow; what
// callbacks hold for long is reported as being worked on.
//
// Threads: the connection's I/O thread only.
#ifndef DSMSG_ADAPTORS_NATS_PULL_CONSUMER_H_
#define DSMSG_ADAPTORS_NATS_PULL_CONSUMER_H_

#include <map>
#include <string>
#include <vector>

#include "adaptors/nats/consumer.h"

namespace dsmsg::nats {

class PullConsumer final : public NatsConsumer {
 public:
  PullConsumer(const NatsSettings& settings, NatsConnection& connection, DriverHost& host)
      : NatsConsumer(settings, connection, host) {}

  void Ack(AckToken token) noexcept override;
  /// It goes back to its consumer, for whoever asks next.
  void Release(AckToken token) noexcept override;
  void Drain(Deadline deadline, int cancel_fd) noexcept override;
  void Reset() override;

 private:
  /// A consumer of one subject on the server, and its subscription here.
  struct Source {
    std::string topic, stream, name;
    bool created = false;  // by us, now
    size_t wanted = 0;     // asked for and not come
    Deadline heard{}, ask_at{};
    Millis ack_wait{30000};
  };
  using Sources = std::map<uint64_t, Source>;  // by sid

  Status Begin(std::span<const std::string> topics, Deadline deadline, int cancel_fd) override;
  Status Take(const Op& op) override;
  void Ask(bool room) override;
  AckToken NextToken() override { return last_token_ + 1; }
  void Delivered(const Pending& pending, AckToken token) override;
  bool subscribed() const override { return !sources_.empty(); }

  /// Adds a source for each stream that has the topic.
  Status Join(const std::string& topic, Deadline deadline, int cancel_fd, Sources* joined);
  Status FindConsumer(Source* source, Deadline deadline, int cancel_fd);
  Status CreateConsumer(Source* source, Deadline deadline, int cancel_fd);
  void Leave(uint64_t sid, const Source& source, bool remove);
  Status TakeStatus(const Op& op, Source* source);
  void Say(std::string_view reply, std::string_view what);
  void ReportProgress();
  std::string Call(const char* what, const Source& source) const;
  Status Failed(const char* what, const Source& source, const Status& why) const;

  Sources sources_;
  uint64_t last_sid_ = 1;                 // that of the inbox
  std::map<AckToken, std::string> held_;  // with the core: where each is acknowledged
  AckToken last_token_ = 0;
  Deadline progress_at_ = Deadline::max();
  std::vector<std::string> returned_;       // not yet seen by a callback; of the last connection
  std::map<std::string, int64_t> reached_;  // by consumer: the time of the last message
};

}  // namespace dsmsg::nats

#endif  // DSMSG_ADAPTORS_NATS_PULL_CONSUMER_H_
