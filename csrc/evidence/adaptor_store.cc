// SPDX-License-Identifier: Apache-2.0
#include "evidence/adaptor_store.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/encoding.h"
#include "core/base/text_file.h"
#include "core/options/option_value.h"

namespace dsmsg::evidence {
namespace {

using host::Connection;
using host::SendResult;
using Kind = EvidenceSettings::Kind;

constexpr size_t kLargestFile = size_t{1} << 20;
constexpr Millis kBehindTheMessage{1000};

Logger& EvidenceLog() {
  static Logger* const logger = new Logger("EVIDENCE");  // lives as long as the process
  return *logger;
}

/// In quotes, in which quotes are as they are.
std::string Quoted(const std::string& value) { return "\"" + value + "\""; }

Pairs NeededBy(const EvidenceSettings& settings) {
  Pairs needed = {
      {"connect", "lazy"},
      {"queue-bytes", std::to_string(std::max<size_t>(settings.queue_bytes, 1024))},
      {"linger", "0"},
      {"flush-timeout", "1s"},
  };
  const auto add = [&needed](const char* key, std::string value) {
    needed.emplace_back(key, std::move(value));
  };
  if (settings.spool_dir.empty()) {
    add("overflow", "reject");
    // Longer than the message waits, which then says what the adaptor's trouble is.
    add("message-timeout", std::to_string((settings.timeout + kBehindTheMessage).count()) + "ms");
  } else {
    add("overflow", "spool");
    add("spool-dir", Quoted(settings.spool_dir));
    add("spool-name", "evidence");
    add("spool-max-bytes", std::to_string(settings.spool_max_bytes));
    add("spool-order", "none");
  }
  if (settings.kind == Kind::kRedis) {
    add("command", "set");
    add("expire", std::to_string(settings.ttl.count()) + "ms");
  } else {
    add("method", "PUT");
    add("path", Quoted("/" + settings.bucket + "/${topic}"));
    add("content-type", "image/jpeg");
    add("idempotency-header", "\"\"");
    add("sign", "aws-v4");
    add("sign-region", Quoted(settings.region));
    if (!settings.session_token.empty()) add("sign-token", Quoted(settings.session_token));
  }
  return needed;
}

std::string KeyOfLine(std::string_view line) {
  std::string key(TrimBlanks(line.substr(0, line.find('='))));
  std::replace(key.begin(), key.end(), '_', '-');
  return key;
}

/// A file in memory: it may hold secrets, and is gone with the process.
Result<UniqueFd> InMemory(const std::string& text) {
  UniqueFd fd(memfd_create("dsmsg-evidence", MFD_CLOEXEC));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return Status(Code::kInternal,
                  std::string("evidence: no memory for a file: ") + std::strerror(errno));
  return fd;
}

std::string ResultText(SendResult result) {
  switch (result) {
    case SendResult::kFull:
    case SendResult::kReconnecting:
      return "the queue in front of the server is full";
    case SendResult::kTooLarge:
      return "the picture is larger than the server takes";
    case SendResult::kUnanswered:
    case SendResult::kClosed:
    case SendResult::kGivenUp:
      return "the connection ended before the server answered";
    default:
      return "the server did not take it";
  }
}

}  // namespace

Result<std::string> AdaptorConfig(const EvidenceSettings& settings, const std::string& more) {
  std::string text;
  if (!more.empty()) {
    Result<std::string> read = ReadTextFile(more, kLargestFile);
    if (!read.ok()) {
      return Status(Code::kInvalidArgument,
                    "evidence: adaptor-config " + more + ": " + read.status().message());
    }
    text = std::move(read.value());
  }
  // Behind the user's lines, so that their numbers in errors stay right.
  const Pairs needed = NeededBy(settings);
  for (size_t at = 0, line = 1; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string key = KeyOfLine(std::string_view(text).substr(at, end - at));
    at = end + 1;
    const auto same = [&key](const auto& pair) { return pair.first == key; };
    if (std::ranges::none_of(needed, same)) continue;
    return Status(Code::kInvalidArgument, "evidence: " + more + ":" + std::to_string(line) + ": " +
                                              key + " is set by evidence itself (leave it out)");
  }
  if (!text.empty() && text.back() != '\n') text.push_back('\n');
  if (text.find("[message-broker]") == std::string::npos) text.append("[message-broker]\n");
  for (const auto& [key, value] : needed) text.append(key).append(" = ").append(value).append("\n");
  return text;
}

/// What the connection tells of. Lock-free; callbacks run on the adaptor's threads.
class AdaptorStore::Sender final : public host::User {
 public:
  struct Waiting {
    Done done;
    const AdaptorStore* store;
  };
  void OnState(host::ConnectionState state) override { up_ = state == host::ConnectionState::kUp; }
  bool up() const { return up_; }
  void OnSent(const host::Ticket& ticket, SendResult result) override {
    const std::unique_ptr<Waiting> waiting(static_cast<Waiting*>(ticket.user_ptr));
    waiting->done(result == SendResult::kOk
                      ? Status()
                      : Status(Code::kUnavailable, waiting->store->WhyNot(result)));
  }

 private:
  std::atomic<bool> up_{false};
};

AdaptorStore::AdaptorStore(const EvidenceSettings& settings)
    : prefix_(settings.prefix),
      uri_start_(settings.kind == Kind::kRedis ? settings.public_address + "?key="
                                               : "s3://" + settings.bucket + "/"),
      place_(settings.public_address) {}

Result<std::shared_ptr<AdaptorStore>> AdaptorStore::Open(const EvidenceSettings& settings,
                                                         std::vector<std::string>*) {
  auto library = host::AdaptorLibrary::Load(settings.kind == Kind::kRedis ? "redis" : "http");
  if (!library.ok())
    return Status(library.status().code(), "evidence: " + library.status().message());
  Result<std::string> config = AdaptorConfig(settings, settings.adaptor_config);
  if (!config.ok()) return config.status();
  Result<UniqueFd> file = InMemory(config.value());
  if (!file.ok()) return file.status();
  std::shared_ptr<AdaptorStore> store(new AdaptorStore(settings));
  store->config_ = std::move(file.value());
  const std::string path = "/proc/self/fd/" + std::to_string(store->config_.get());
  Connection::Options options;
  options.library = library.value();
  options.conn_str = settings.address;
  options.config = path;
  options.log = &EvidenceLog();
  store->sender_ = std::make_shared<Sender>();
  auto slot = Connection::Join(std::move(options), store->sender_);
  if (!slot.ok()) {
    std::string text = slot.status().message();
    const std::string name =
        settings.adaptor_config.empty() ? "evidence-config" : settings.adaptor_config;
    for (size_t at = text.find(path); at != std::string::npos; at = text.find(path))
      text.replace(at, path.size(), name);
    return Status(slot.status().code(), "evidence: " + text);
  }
  store->slot_ = std::move(slot.value());
  return store;
}

AdaptorStore::~AdaptorStore() { Stop(Clock::now()); }

std::string AdaptorStore::Uri(const std::string& name) const {
  std::string uri = uri_start_;
  AppendPercentEncoded(KeyOf(name), "/:", &uri);
  return uri;
}

std::string AdaptorStore::Trouble() const {
  const Connection& connection = *slot_->value;
  std::string said = connection.library().LastError(connection.handle());
  // How many were lost before says nothing about this one, nor that the one before was late.
  said.resize(std::min(said.find(" [since connect: "), said.size()));
  if (!said.starts_with("not acknowledged within ")) return said;
  return sender_->up() ? "the server does not answer" : "the server is away";
}

std::string AdaptorStore::WhyNot(SendResult result) const {
  const std::string said = Trouble();
  return place_ + ": " + (said.empty() ? ResultText(result) : said);
}

void AdaptorStore::Put(const std::string& name, const std::string& bytes, Done done) {
  std::string key = KeyOf(name);
  host::MessageView message;
  message.topic = key.data();
  message.payload = reinterpret_cast<const uint8_t*>(bytes.data());
  message.size = bytes.size();
  auto waiting = std::make_unique<Sender::Waiting>(Sender::Waiting{std::move(done), this});
  host::Ticket ticket;
  ticket.user_ptr = waiting.get();
  const SendResult result = slot_->value->Send(sender_, message, ticket);
  if (result == SendResult::kOk) {
    static_cast<void>(waiting.release());  // OnSent frees it
  } else {
    waiting->done({Code::kUnavailable, WhyNot(result)});
  }
}

void AdaptorStore::Stop(Deadline deadline) {
  if (slot_ != nullptr && !stopped_.exchange(true))
    (void)Connection::Leave(slot_, sender_, deadline);
}

}  // namespace dsmsg::evidence
