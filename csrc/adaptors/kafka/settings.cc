// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/settings.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <tuple>
#include <utility>

#include "adaptors/kafka/properties.h"
#include "adaptors/kafka/security.h"

namespace dsmsg::kafka {
namespace {

constexpr int64_t kMaxMessageBytes = 1'000'000'000;  // librdkafka's own limit
// Room for the key and the record's framing: max-message-bytes counts only the payload,
// librdkafka's limit these as well.
constexpr int64_t kMessageOverhead = 4096;
constexpr Millis kAnswerTimeout{30'000};

class Builder {
 public:
  Builder(const Endpoints& endpoints, const Config& config, Logger& log)
      : endpoints_(endpoints), config_(config), log_(log) {}

  Status ReadSecurity() {
    Result<Security> security = kafka::ReadSecurity(endpoints_, config_);
    if (security.ok()) security_ = std::move(security.value());
    return security.status();
  }
  const Security& security() const { return security_; }
  /// Of the producer built last: idempotence follows from the other settings.
  bool idempotence_auto() const { return idempotence_auto_; }

  Result<ConfPtr> Build(Role role, const std::string& brokers, Millis setup_timeout) {
    properties_.clear();
    Common(brokers, setup_timeout);
    if (role == Role::kConsumer) {
      KafkaConsumer();
    } else {
      KafkaProducer();
    }
    Secure();
    if (Status s = Overrides(role); !s.ok()) return s;
    LimitMetadataAge();
    if (Status s = CheckGroup(role); !s.ok()) return s;
    VerifyBrokers();
    if (role != Role::kConsumer) {
      if (Status s = Idempotence(); !s.ok()) return s;
    }
    Warn(role);
    return Apply(role);
  }

 private:
  void Set(const char* name, std::string value, const char* option = "") {
    const bool by_user = *option != '\0' && config_.IsSet(option);
    properties_[name] = {std::move(value), option, by_user};
  }
  void Set(const char* name, int64_t value, const char* option = "") {
    Set(name, std::to_string(value), option);
  }
  const Property* Find(std::string_view name) const {
    const auto it = properties_.find(name);
    return it == properties_.end() ? nullptr : &it->second;
  }

  void Common(const std::string& brokers, Millis setup_timeout) {
    Set("bootstrap.servers", brokers);
    Set("client.id", "dsmsg");
    Set("socket.keepalive.enable", config_.GetBool("tcp-keepalive") ? "true" : "false",
        "tcp-keepalive");
    const auto buffer = static_cast<int64_t>(config_.GetBytes("socket-buffer-bytes"));
    Set("socket.send.buffer.bytes", buffer, "socket-buffer-bytes");
    Set("socket.receive.buffer.bytes", buffer, "socket-buffer-bytes");
    Set("socket.connection.setup.timeout.ms", setup_timeout.count(), "connect-timeout");
    // How long an answer may take before the connection counts as dead. librdkafka waits a minute,
    // the Java clients half of that. Less would not suit everyone: a burst of a megabyte must get
    // through.
    Set("socket.timeout.ms", kAnswerTimeout.count());
    // With Nagle's algorithm, the end of a request waits until the broker's kernel acknowledges the
    // part before, which it may put off by 40 ms.
    Set("socket.nagle.disable", "true");
    const auto base = config_.GetMillis("reconnect-interval").count();
    const auto cap = std::max(base, config_.GetMillis("reconnect-max-interval").count());
    constexpr int64_t kHour = 3'600'000;
    Set("reconnect.backoff.ms", std::min<int64_t>(base, kHour), "reconnect-interval");
    Set("reconnect.backoff.max.ms", std::min<int64_t>(cap, kHour), "reconnect-max-interval");
    Set("connections.max.idle.ms", config_.GetMillis("connections-max-idle").count(),
        "connections-max-idle");
  }

  void KafkaProducer() {
    const auto limit = static_cast<int64_t>(config_.GetBytes("max-message-bytes"));
    Set("message.max.bytes", std::min(limit + kMessageOverhead, kMaxMessageBytes),
        "max-message-bytes");
    // The core bounds what is in flight (half of queue-size and queue-bytes); librdkafka's own
    // limits, twice as large, are only reached if many tiny messages carry large keys and headers.
    const int64_t messages = config_.GetInt("queue-size");
    Set("queue.buffering.max.messages", std::clamp<int64_t>(messages, 1000, 10'000'000));
    const auto bytes = static_cast<int64_t>(config_.GetBytes("queue-bytes"));
    Set("queue.buffering.max.kbytes",
        std::clamp<int64_t>((bytes + limit) / 1024, 1024, 2'147'483'647));
    // Never: the core's message-timeout decides how long a message may wait.
    Set("message.timeout.ms", 0);
    Set("acks", config_.GetString("acks"), "acks");
    // A leader that waits for its replicas answers before the connection is given up.
    Set("request.timeout.ms", (kAnswerTimeout * 2 / 3).count());
    // The core lingers for all partitions at once; librdkafka lingers for each partition separately
    // and wakes a thread twice more per batch. Measured at 900 messages/s on 4 partitions: 42 us of
    // CPU per message with librdkafka's linger, 27 us this way. (See Idempotence.)
    Set("linger.ms", 0, "linger");
    Set("batch.size", static_cast<int64_t>(config_.GetBytes("batch-bytes")), "batch-bytes");
    Set("compression.codec", config_.GetString("compression"), "compression");
    Set("partitioner", config_.GetString("partitioner"), "partitioner");
    Set("max.in.flight", config_.GetInt("max-in-flight"), "max-in-flight");
    const char* refresh =
        config_.IsSet("partition-refresh") ? "partition-refresh" : "metadata-refresh";
    Set("topic.metadata.refresh.interval.ms", config_.GetMillis(refresh).count(), refresh);
    // How long a topic unknown to the broker may still appear, twice (TopicDoubt): automatic
    // creation takes about a second. librdkafka's 30 s are long for a message that will fail, and a
    // host in send() should learn of it before send-timeout.
    Set("topic.metadata.propagation.max.ms",
        std::clamp<int64_t>(config_.GetMillis("send-timeout").count() * 3 / 10, 1'000, 5'000));
  }

  void KafkaConsumer() {
    Set("group.id", config_.GetString("consumer-group-id"), "consumer-group-id");
    Set("auto.offset.reset", config_.GetString("offset-reset"), "offset-reset");
    // Commit after delivery: the driver stores an offset once the host's callback has returned;
    // librdkafka commits stored offsets in the background, before a rebalance and at close.
    Set("enable.auto.offset.store", "false");
    Set("enable.auto.commit", config_.GetBool("commit-offsets") ? "true" : "false");
    Set("auto.commit.interval.ms", config_.GetMillis("offset-commit-interval").count(),
        "offset-commit-interval");
    Set("max.partition.fetch.bytes", static_cast<int64_t>(config_.GetBytes("fetch-bytes")),
        "fetch-bytes");
    // A subscription may precede the first message, which creates the topic.
    Set("allow.auto.create.topics", "true");
    const bool given = config_.IsSet("metadata-refresh");
    Set("topic.metadata.refresh.interval.ms",
        given ? config_.GetMillis("metadata-refresh").count() : 10'000, "metadata-refresh");
  }

  // librdkafka (up to 2.9 at least) multiplies this age, usually three refresh intervals, by a
  // thousand in 32 bits. Above 35 min what it knows expires at once, and it asks every second.
  void LimitMetadataAge() {
    constexpr int64_t kLongest = 2'147'000;
    const int64_t refresh =
        std::strtoll(Find("topic.metadata.refresh.interval.ms")->value.c_str(), nullptr, 10);
    const Property* age = Find("metadata.max.age.ms");
    const bool longer = age != nullptr ? std::strtoll(age->value.c_str(), nullptr, 10) > kLongest
                                       : 3 * refresh > kLongest;
    if (longer) Set("metadata.max.age.ms", kLongest);
  }

  // Without a group, librdkafka creates a consumer that cannot subscribe and has no queue.
  Status CheckGroup(Role role) const {
    if (role != Role::kConsumer) return {};
    const Property* group = Find("group.id");
    if (group != nullptr && !group->value.empty()) return {};
    return {Code::kInvalidArgument,
            "consumer-group-id is empty: name the group (commit-offsets=0 keeps no position)"};
  }

  void Secure() {
    for (Security::Property& property : security_.Properties()) {
      Set(property.name, std::move(property.value), property.option);
    }
  }

  // Decided by the final properties: TLS may come from proto-cfg alone. Before 2.0, librdkafka does
  // not compare the certificate with the broker's host unless told to.
  void VerifyBrokers() {
    bool tls = false, sasl = false;
    const Property* protocol = Find("security.protocol");
    if (!ParseProtocol(protocol->value, &tls, &sasl) || !tls) return;
    const Property* verify = Find("enable.ssl.certificate.verification");
    const bool verifies = verify == nullptr || IsTrue(verify->value);
    constexpr char kAlgorithm[] = "ssl.endpoint.identification.algorithm";
    const Property* algorithm = Find(kAlgorithm);
    if (algorithm == nullptr || !algorithm->by_user) {
      Set(kAlgorithm, verifies ? "https" : "none");
      algorithm = Find(kAlgorithm);
    }
    if (!verifies) {
      const bool option = verify->source == "tls-verify";
      Insecure(*verify,
               option ? kInsecureWarning
                      : ": enable.ssl.certificate.verification is off: the brokers' "
                        "certificates are not checked, so anybody on the network path can read and "
                        "change the messages (name the CA with ssl.ca.location instead)");
    } else if (algorithm->value == "none" && security_.tls.server_name.empty()) {
      Insecure(*algorithm,
               ": ssl.endpoint.identification.algorithm=none: the brokers' names are not checked, "
               "so anyone with a certificate from the same CA can pose as a broker (leave it out)");
    }
  }
  void Insecure(const Property& property, const std::string& text) {
    const bool option = property.source == "tls-verify";
    log_.Limited(LogLevel::kWarn, property.source + "/insecure",
                 (option ? "" : property.source) + text);
  }

  // A TLS or login property that an option also sets, with another value: which one is meant?
  Status CheckConflict(const std::string& option, const std::string& name,
                       const std::string& value) const {
    const Property* given = Find(name);
    if (given == nullptr) return {};
    const bool security =
        name.starts_with("ssl.") || name.starts_with("sasl.") || name.starts_with("enable.ssl.");
    bool conflict = security && given->by_user && given->value != value;
    if (name == "security.protocol") {
      bool tls = false, sasl = false;
      if (!ParseProtocol(value, &tls, &sasl)) return {};  // librdkafka says what is allowed
      conflict = (config_.IsSet("enable-tls") && tls != security_.tls.enabled) ||
                 (!security_.mechanism.empty() && !sasl);
    }
    if (!conflict) return {};
    return {Code::kInvalidArgument,
            option + ": " + name + " contradicts " + given->source + " (set it in one place only)"};
  }

  Status Overrides(Role role) {
    const bool consumer = role == Role::kConsumer;
    for (const char* option :
         {"proto-cfg", consumer ? "consumer-proto-cfg" : "producer-proto-cfg"}) {
      for (const auto& [name, value] : config_.GetPairs(option)) {
        if (Status s = CheckAllowed(option, name, value); !s.ok()) return s;
        if (Status s = CheckConflict(option, Canonical(name), value); !s.ok()) return s;
        properties_[Canonical(name)] = {value, option, true};
      }
    }
    return LogIn();
  }

  Status LogIn() {
    const Login& login = security_.login;
    if (Find("sasl.mechanisms") == nullptr) {
      if (!login.user.empty()) {
        log_.Limited(
            LogLevel::kWarn, "no-login",
            "username is set without sasl-mechanism, so there is no login (set sasl-mechanism)");
      }
      return {};
    }
    const std::tuple<const char*, const std::string&, const char*> parts[] = {
        {"sasl.username", login.user, "username"}, {"sasl.password", login.password, "password"}};
    for (const auto& [name, value, option] : parts) {
      if (value.empty()) continue;
      if (const Property* given = Find(name); given != nullptr && given->value != value) {
        return {Code::kInvalidArgument, given->source + ": " + name + " contradicts " + option +
                                            " (set it in one place only)"};
      }
      Set(name, value, option);
    }
    return {};
  }

  Status Idempotence() {
    const auto value = [this](const char* name) {
      const Property* p = Find(name);
      return p == nullptr ? std::string() : p->value;
    };
    std::string conflict;
    if (const std::string acks = value("acks"); acks != "all" && acks != "-1") {
      conflict = "acks other than all";
    } else if (const std::string flight = value("max.in.flight");
               flight.size() > 1 || flight > "5") {
      conflict = "max-in-flight above 5";
    } else if (value("message.send.max.retries") == "0") {
      conflict = "retries=0";
    } else if (value("queuing.strategy") == "lifo") {
      conflict = "queuing.strategy=lifo";
    }
    bool wanted = false;
    std::string source = "idempotence";
    if (const Property* given = Find("enable.idempotence"); given != nullptr) {
      wanted = IsTrue(given->value);
      source = given->source;
    } else {
      const std::string option = config_.GetString("idempotence");
      wanted = IsTrue(option);
      idempotence_auto_ = option == "auto";
      const bool on = idempotence_auto_ ? conflict.empty() : wanted;
      Set("enable.idempotence", on ? "true" : "false", "idempotence");
    }
    // A batch follows the one before it: the first message of a burst must not leave before the
    // last one is there.
    if (IsTrue(value("enable.idempotence")) && Find("linger.ms")->source == "linger") {
      Set("linger.ms", 1, "linger");
    }
    if (!wanted || conflict.empty()) return {};
    return Status(Code::kInvalidArgument, source + ": idempotence cannot be on together with " +
                                              conflict + "; use idempotence=auto or change that");
  }

  void Warn(Role role) {
    const auto user_set = [this](const char* name) {
      const Property* p = Find(name);
      return p != nullptr && p->by_user ? p : nullptr;
    };
    if (role == Role::kConsumer) {
      if (const Property* p = user_set("enable.auto.offset.store"); p && IsTrue(p->value)) {
        log_.Warn(p->source +
                  ": enable.auto.offset.store=true commits messages that your callback has not "
                  "seen yet: a crash loses them");
      }
      if (const Property* p = user_set("enable.auto.commit"); p && !IsTrue(p->value)) {
        log_.Warn(p->source +
                  ": enable.auto.commit=false: no offset is ever committed, so every start begins "
                  "at offset-reset");
      }
      return;
    }
    if (const Property* p = user_set("message.timeout.ms"); p && p->value != "0") {
      log_.Warn(p->source +
                ": message.timeout.ms: messages fail after that time, even during an outage "
                "(without it they wait; use the option message-timeout for a limit)");
    }
    if (const Property* p = user_set("linger.ms"); p && p->source != "linger") {
      log_.Warn(p->source + ": linger.ms is added to the option linger; set linger instead");
    }
    if (const Property* p = user_set("message.max.bytes"); p && p->source != "max-message-bytes") {
      log_.Warn(p->source +
                ": message.max.bytes: set max-message-bytes too, it is checked first (now " +
                std::to_string(config_.GetBytes("max-message-bytes")) + ")");
    }
  }

  Result<ConfPtr> Apply(Role role) const {
    ConfPtr conf(rd_kafka_conf_new());
    for (const auto& [name, property] : properties_) {
      char reason[512] = "";
      const auto result = rd_kafka_conf_set(conf.get(), name.c_str(), property.value.c_str(),
                                            reason, sizeof reason);
      if (result == RD_KAFKA_CONF_OK) continue;
      return Refused(name, property, result, reason);
    }
    const int events = RD_KAFKA_EVENT_ERROR | (role == Role::kConsumer ? 0 : RD_KAFKA_EVENT_DR);
    rd_kafka_conf_set_events(conf.get(), events);
    return Result<ConfPtr>(std::move(conf));
  }

  const Endpoints& endpoints_;
  const Config& config_;
  Logger& log_;
  Security security_;
  bool idempotence_auto_ = false;
  Properties properties_;
};

}  // namespace

Result<KafkaSettings> KafkaSettings::Make(const Endpoints& endpoints, const Config& config,
                                          Logger& log) {
  if (endpoints.hosts.empty()) {
    return Status(Code::kInvalidArgument,
                  "no broker given: expected \"host;port\" or \"h1:9092,h2:9092\"");
  }
  KafkaSettings settings;
  for (const HostPort& host : endpoints.hosts) {
    if (!settings.brokers_.empty()) settings.brokers_ += ',';
    // librdkafka compares the certificate with the name exactly as written here.
    settings.brokers_ += HostPort{WithoutFinalDot(host.host), host.port}.ToString();
  }
  settings.broker_count_ = endpoints.hosts.size();
  // Less than the attempt's own limit, so that a silent broker can be told from a slow one;
  // librdkafka checks it once a second and accepts no less than a second.
  settings.setup_timeout_ =
      std::clamp(config.GetMillis("connect-timeout") * 3 / 5, Millis(1000), Millis(60'000));
  settings.reconnect_max_ =
      std::max(config.GetMillis("reconnect-interval"), config.GetMillis("reconnect-max-interval"));
  Builder builder(endpoints, config, log);
  if (Status status = builder.ReadSecurity(); !status.ok()) return status;
  settings.tls_server_name_ = builder.security().tls.server_name;
  settings.redactor_.Add(builder.security().login.password);
  settings.redactor_.Add(builder.security().tls.key_password);
  for (const char* option : {"proto-cfg", "producer-proto-cfg", "consumer-proto-cfg"}) {
    for (const auto& [name, value] : config.GetPairs(option)) {
      if (IsSecret(name)) settings.redactor_.Add(value);
    }
  }
  auto producer = builder.Build(Role::kProducer, settings.brokers_, settings.setup_timeout_);
  if (!producer.ok()) return producer.status();
  settings.idempotence_auto_ = builder.idempotence_auto();
  settings.linger_ = config.GetMillis("linger");
  settings.longest_answer_ = config.GetMillis("metadata-request-timeout");
  auto consumer = builder.Build(Role::kConsumer, settings.brokers_, settings.setup_timeout_);
  if (!consumer.ok()) return consumer.status();
  settings.producer_ = std::move(producer.value());
  settings.consumer_ = std::move(consumer.value());
  return Result<KafkaSettings>(std::move(settings));
}

bool KafkaSettings::GiveUpIdempotence() {
  if (!idempotence_auto_) return false;
  return rd_kafka_conf_set(producer_.get(), "enable.idempotence", "false", nullptr, 0) ==
         RD_KAFKA_CONF_OK;
}

ConfPtr KafkaSettings::NewConf(Role role) const {
  const auto& conf = role == Role::kConsumer ? consumer_ : producer_;
  return ConfPtr(rd_kafka_conf_dup(conf.get()));
}

}  // namespace dsmsg::kafka
