// SPDX-License-Identifier: Apache-2.0
#include "adaptors/kafka/connection.h"

#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "adaptors/kafka/errors.h"
#include "adaptors/kafka/stall_watch.h"
#include "core/base/fork.h"
#include "core/base/limits.h"
#include "core/net/hints.h"

namespace dsmsg::kafka {
namespace {

// librdkafka's levels are those of syslog. "FAIL" lines repeat what the error events say, which
// become link states.
LogLevel LevelOf(int level, std::string_view facility) {
  // "GETPID" warns while a freshly started broker loads its state; librdkafka tries again.
  if (facility == "FAIL" || facility == "ERROR" || facility == "GETPID") return LogLevel::kInfo;
  if (level <= 3) return LogLevel::kError;
  if (level == 4) return LogLevel::kWarn;
  return level <= 6 ? LogLevel::kInfo : LogLevel::kDebug;
}

ClientShared& SharedOf(const rd_kafka_t* rk) {
  return *static_cast<ClientShared*>(rd_kafka_opaque(rk));
}

// Called on any thread of librdkafka.
void OnLog(const rd_kafka_t* rk, int level, const char* facility, const char* text) {
  ClientShared& shared = SharedOf(rk);
  const std::lock_guard lock(shared.mutex);
  if (shared.log == nullptr) return;
  constexpr int kDebug = 7;
  if (level == kDebug && shared.debugs_for_us) {
    if (std::string_view(facility) != "MSGSET") return;
    if (shared.losses.Add(text, pthread_self())) {
      shared.events.Signal();
    } else if (shared.refusal.empty()) {
      shared.refusal = RefusalIn(text);
    }
    return;
  }
  if (std::string_view(facility) == "FAIL") {
    const std::string_view line(text);  // "[thrd:<name>]: " followed by what an event says
    const size_t thread = line.starts_with("[thrd:") ? line.find("]: ") : line.npos;
    shared.failure = shared.redact(thread == line.npos ? line : line.substr(thread + 3));
    if (line.find("in state UP") != line.npos) {
      shared.losses.AddEnd();
      shared.events.Signal();
    }
  }
  const LogLevel mapped = LevelOf(level, facility);
  if (!shared.log->Enabled(mapped)) return;
  const std::string line = std::string("librdkafka ") + facility + ": " + shared.redact(text);
  if (mapped == LogLevel::kDebug) {
    shared.log->Debug(line);  // asked for with debug=...: all of it
  } else {
    shared.log->Limited(mapped, std::string("rdkafka/") + facility, line);
  }
}

// Called on any broker thread: a counting connect(2). librdkafka does not report repeated failures
// otherwise.
int OnConnect(int fd, const sockaddr* address, int length, const char*, void* opaque) {
  auto& shared = *static_cast<ClientShared*>(opaque);
  shared.connects.fetch_add(1, std::memory_order_relaxed);
  {
    const std::lock_guard lock(shared.mutex);
    shared.losses.AddConnect(pthread_self());
  }
  if (connect(fd, address, static_cast<socklen_t>(length)) == 0) return 0;
  return errno == EINPROGRESS ? 0 : errno;
}

// Called on any broker thread: socket(2). Failing to create a socket is also a failed attempt.
int OnSocket(int domain, int type, int protocol, void* opaque) {
  const int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
  if (fd >= 0) {
    CloseInChildren(fd);
    return fd;
  }
  const int error = errno;
  auto& shared = *static_cast<ClientShared*>(opaque);
  shared.socket_error.store(error, std::memory_order_relaxed);
  shared.connects.fetch_add(1, std::memory_order_relaxed);
  errno = error;
  return -1;
}

// Called on any broker thread, once for each certificate of a chain.
int OnCertificate(rd_kafka_t*, const char* broker, int32_t, int* x509_error, int depth,
                  const char* der, size_t size, char* reason, size_t reason_size, void* opaque) {
  if (static_cast<ClientShared*>(opaque)->certificates.Judge(broker, x509_error, depth, der,
                                                             size)) {
    return 1;
  }
  std::snprintf(reason, reason_size, "%s", X509_verify_cert_error_string(*x509_error));
  return 0;
}

std::string Value(const rd_kafka_conf_t* conf, const char* name) {
  char text[256] = "";
  size_t size = sizeof text;
  return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK ? text : "";
}

bool ChecksCertificates(const rd_kafka_conf_t* conf) {
  bool tls = false, sasl = false;
  return ParseProtocol(Value(conf, "security.protocol"), &tls, &sasl) && tls &&
         Value(conf, "enable.ssl.certificate.verification") == "true";
}

// librdkafka's own text; in most cases it could not start a thread.
Status NoResources(std::string_view text) {
  return {Code::kUnavailable,
          "cannot start a client: " + std::string(text) + std::string(kThreadAdvice)};
}

}  // namespace

Result<std::unique_ptr<KafkaConnection>> KafkaConnection::Create(Role role,
                                                                 const KafkaSettings& settings,
                                                                 Logger& log) {
  std::unique_ptr<KafkaConnection> client(new KafkaConnection(role, settings));
  client->shared_->log = &log;
  client->shared_->redact = settings.redactor();
  ConfPtr conf = settings.NewConf(role);
  rd_kafka_conf_set_opaque(conf.get(), client->shared_.get());
  rd_kafka_conf_set_log_cb(conf.get(), OnLog);
  rd_kafka_conf_set_connect_cb(conf.get(), OnConnect);
  rd_kafka_conf_set_socket_cb(conf.get(), OnSocket);
  if (ChecksCertificates(conf.get())) {
    client->shared_->certificates.Expect(settings.tls_server_name());
    rd_kafka_conf_set_ssl_cert_verify_cb(conf.get(), OnCertificate);
  }
  char reason[512] = "";
  const bool consumer = role == Role::kConsumer;
  bool tls = false, sasl = false;
  const bool plain = ParseProtocol(Value(conf.get(), "security.protocol"), &tls, &sasl) && !tls;
  if (!consumer && Value(conf.get(), "debug").empty()) {
    client->log_level_ = std::min(6, std::atoi(Value(conf.get(), "log_level").c_str()));
    client->shared_->debugs_for_us =
        rd_kafka_conf_set(conf.get(), "debug", "msg", nullptr, 0) == RD_KAFKA_CONF_OK;
  }
  if (!consumer && Value(conf.get(), "enable.idempotence") == "true") {
    client->shared_->partitioner.Configure(conf.get());
  }
  client->rk_ = rd_kafka_new(consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf.get(), reason,
                             sizeof reason);
  if (client->rk_ == nullptr && rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) {
    return NoResources(reason);
  }
  if (client->rk_ == nullptr) {
    return Status(Code::kInvalidArgument, std::string("cannot create a ") +
                                              (consumer ? "consumer" : "producer") +
                                              " from these settings: " + client->Clean(reason));
  }
  (void)conf.release();  // NOLINT(bugprone-unused-return-value): rd_kafka_new owns it now
  client->ListenToRefusals(false);
  client->plain_ = plain;
  if (consumer) rd_kafka_poll_set_consumer(client->rk_);
  client->queue_ =
      consumer ? rd_kafka_queue_get_consumer(client->rk_) : rd_kafka_queue_get_main(client->rk_);
  if (client->queue_ == nullptr) return Status(Code::kInternal, "librdkafka created no queue");
  const uint64_t one = 1;
  rd_kafka_queue_io_event_enable(client->queue_, client->event_fd(), &one, sizeof one);
  return Result<std::unique_ptr<KafkaConnection>>(std::move(client));
}

KafkaConnection::~KafkaConnection() { Destroy(); }

void KafkaConnection::Listen(unsigned who, bool on) {
  if (!shared_->debugs_for_us) return;
  listeners_ = on ? listeners_ | who : listeners_ & ~who;
  rd_kafka_set_log_level(rk_, listeners_ != 0 ? 7 : log_level_);
}

void KafkaConnection::ListenToRefusals(bool on) {
  (void)TakeRefusal();
  Listen(1, on);
}

void KafkaConnection::ListenToLosses(bool on) { Listen(2, on); }

LossLines::Losses KafkaConnection::TakeLosses() {
  const std::lock_guard lock(shared_->mutex);
  return shared_->losses.Take();
}

std::string KafkaConnection::TakeRefusal() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->refusal, {});
}

std::string KafkaConnection::LastFailure() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->failure;
}

void KafkaConnection::ForgetFailure() {
  const std::lock_guard lock(shared_->mutex);
  shared_->failure.clear();
}

// An attempt is over when every broker has refused on each of its addresses. A name may have an
// IPv6 and an IPv4 address; librdkafka uses the next one at each try, since 2.10 any of them.
bool KafkaConnection::AllRefused(bool all_down, rd_kafka_resp_err_t last, std::string_view text) {
  constexpr size_t kTries = 3;
  if (!all_down) return false;
  if (last == RD_KAFKA_RESP_ERR__RESOLVE) return true;
  if (shared_->connects.load(std::memory_order_relaxed) < kTries * settings_.broker_count()) {
    return false;
  }
  if (text.find(": Connect to ") == text.npos) return true;
  (void)TakeConnects();
  const std::string& all = settings_.brokers();
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = std::min(all.find(',', begin), all.size());
    if (Reachable(all.substr(begin, end - begin))) return false;
    begin = end + 1;
  }
  return true;
}

Status KafkaConnection::AwaitBroker(Deadline deadline, int cancel_fd) {
  Status cause;
  bool all_down = false;
  rd_kafka_resp_err_t last = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string last_text;
  // A consumer without a subscription would look for a broker a second later; asking makes it do so
  // now.
  (void)AnyBrokerUp();
  for (;;) {
    // Blocks on a condition variable until metadata has arrived. The cancel descriptor is checked
    // between slices.
    const int slice = std::min(PollTimeout(deadline), static_cast<int>(kSlice.count()));
    char* cluster = rd_kafka_clusterid(rk_, slice);
    if (cluster != nullptr) {
      rd_kafka_mem_free(rk_, cluster);
      // There is no way to tell which one of several it was.
      if (settings_.broker_count() == 1) answered_.insert(settings_.brokers());
      return {};
    }
    DrainEventFd();
    while (const EventPtr event = NextEvent()) {
      if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_ERROR) continue;
      const rd_kafka_resp_err_t err = rd_kafka_event_error(event.get());
      if (err == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) {
        return NoResources(rd_kafka_event_error_string(event.get()));
      }
      if (!IsLinkError(err)) continue;
      if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {  // says no cause
        all_down = true;
        continue;
      }
      last = err;
      last_text = rd_kafka_event_error_string(event.get());
      if (cause.code() == Code::kAuth) continue;  // says most
      cause = Explain(err, Clean(rd_kafka_event_error_string(event.get())));
    }
    // Waiting does not help, unless another broker may decide otherwise.
    if (cause.code() == Code::kAuth && (all_down || settings_.broker_count() == 1)) return cause;
    if (WaitReadable({cancel_fd}, Millis(0)) != 0) {
      return Status(Code::kCancelled, "connecting to " + settings_.brokers() + " was cancelled");
    }
    if (Clock::now() >= deadline || AllRefused(all_down, last, last_text)) break;
  }
  if (!cause.ok()) return cause;
  if (const std::string failure = LastFailure(); !failure.empty()) {
    return Explain(RD_KAFKA_RESP_ERR__TRANSPORT, failure);
  }
  return Status(Code::kTimeout, "cannot reach broker " + settings_.brokers() +
                                    ": no answer within connect-timeout" +
                                    Hint(Situation::kSilent, PeerAt(settings_.brokers())));
}

Peer KafkaConnection::PeerAt(const std::string& address) const {
  const bool known = answered_.contains(address);
  return {"a Kafka broker", known ? Answered::kBefore : Answered::kNever, plain_};
}

Status KafkaConnection::Explain(rd_kafka_resp_err_t err, std::string_view text) {
  if (const int error = shared_->socket_error.exchange(0); error != 0) {
    return {Code::kUnavailable, "cannot reach broker " + settings_.brokers() + ": " +
                                    std::generic_category().message(error) +
                                    std::string(LimitAdvice(error))};
  }
  const std::string address = NodeIn(text).address;
  if (ShowsAnswer(text) && !address.empty()) answered_.insert(address);
  const Peer peer = PeerAt(address);
  // With TLS 1.3, a broker checks our certificate when we already count as connected.
  const bool alert = text.find("SSL routines") != std::string_view::npos;
  if (err != RD_KAFKA_RESP_ERR__SSL && !alert) {
    return LinkStatus(err, text, settings_.brokers(), settings_.setup_timeout(), peer);
  }
  const Status status =
      shared_->certificates.Explain(settings_.brokers(), TlsDetail(text), peer.answered);
  return {status.code(), "cannot reach broker " + settings_.brokers() + ": " + status.message()};
}

std::string KafkaConnection::AdvertisedIn(std::string_view text) const {
  const Node node = NodeIn(text);
  if (node.address.empty() || node.id == "bootstrap") return "";
  // Addresses from the connection string are treated as before, whatever the cluster says about
  // them.
  const std::string listed = "," + settings_.brokers() + ",";
  return listed.find("," + node.address + ",") == listed.npos ? node.address : "";
}

Status KafkaConnection::ExplainAdvertised(const Status& status, std::string_view text) const {
  const Node node = NodeIn(text);
  if (!answered_.contains(node.address)) {
    return AdvertisedStatus(status, node, settings_.brokers());
  }
  // It was reachable before, so the address is right.
  const std::string start = "cannot reach broker " + settings_.brokers();
  if (!status.message().starts_with(start)) return status;
  return {status.code(),
          "cannot reach broker " + node.address + status.message().substr(start.size())};
}

}  // namespace dsmsg::kafka
