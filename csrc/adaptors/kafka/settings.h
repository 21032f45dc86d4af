// SPDX-License-Identifier: Apache-2.0
// The Kafka options, and how they become librdkafka properties. KafkaSettings are immutable after
// Make: any thread.
#ifndef DSMSG_ADAPTORS_KAFKA_SETTINGS_H_
#define DSMSG_ADAPTORS_KAFKA_SETTINGS_H_

#include <librdkafka/rdkafka.h>

#include <memory>
#include <span>
#include <string>

#include "adaptors/kafka/properties.h"
#include "core/driver/driver.h"
#include "core/options/config.h"
#include "core/options/conn_string.h"
#include "core/options/options.h"

namespace dsmsg::kafka {

struct ConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, ConfDeleter>;

/// Kafka's own rows of the option table.
std::span<const OptionSpec> Options();

class KafkaSettings {
 public:
  /// Checks every property with librdkafka; a refused one is an error that names the option, the
  /// property and librdkafka's reason. Settings that weaken one of our promises are honoured with a
  /// warning in `log`.
  static Result<KafkaSettings> Make(const Endpoints& endpoints, const Config& config, Logger& log);

  /// A fresh copy for rd_kafka_new, which takes ownership if it succeeds.
  ConfPtr NewConf(Role role) const;

  /// The brokers refuse this user an idempotent producer. With idempotence=auto, producers from now
  /// on do without (true); otherwise the user insists on it.
  bool GiveUpIdempotence();

  const std::string& brokers() const { return brokers_; }  // "h1:9092,h2:9092"
  size_t broker_count() const { return broker_count_; }
  Millis setup_timeout() const { return setup_timeout_; }  // of one connection's handshake
  /// How long the core collects messages before it submits them together.
  Millis linger() const { return linger_; }
  /// How long one question about a topic waits for its answer.
  Millis longest_answer() const { return longest_answer_; }
  Millis reconnect_max() const { return reconnect_max_; }
  /// Name expected in the brokers' certificates; empty: the host's.
  const std::string& tls_server_name() const { return tls_server_name_; }
  /// For librdkafka's texts, which may contain passwords.
  const Redactor& redactor() const { return redactor_; }

 private:
  std::string brokers_;
  std::string tls_server_name_;
  size_t broker_count_ = 1;
  Millis setup_timeout_{0};
  Millis reconnect_max_{0};
  Millis linger_{0};
  Millis longest_answer_{0};
  bool idempotence_auto_ = false;
  Redactor redactor_;
  ConfPtr producer_, consumer_;
};

}  // namespace dsmsg::kafka

#endif  // DSMSG_ADAPTORS_KAFKA_SETTINGS_H_
