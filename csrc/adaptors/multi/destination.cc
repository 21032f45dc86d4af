// SPDX-License-Identifier: Apache-2.0
#include "adaptors/multi/destination.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "core/base/fork.h"
#include "core/base/guard.h"
#include "core/base/limits.h"
#include "core/base/thread.h"
#include "core/options/option_value.h"

namespace dsmsg::multi {
namespace {

using host::AdaptorLibrary;
using host::SendResult;

// A third-party adaptor's connect fails without its broker.
constexpr Millis kConnectPause{2000};
// What these say is decided for all destinations together.
constexpr const char* kDecided[] = {"connect", "connect-wait-timeout", "flush-timeout",
                                    "share-connection"};

Logger& HostLog() {
  static PerProcess<Logger> logger;
  return logger.Get("MULTI");
}

/// The adaptor of a scheme has its name, or, with TLS, that name with an 's' more.
Result<std::shared_ptr<const AdaptorLibrary>> LoadAdaptor(const std::string& name) {
  auto library = AdaptorLibrary::Load(name);
  if (library.ok() || name.size() < 2 || name.back() != 's') return library;
  auto plain = AdaptorLibrary::Load(name.substr(0, name.size() - 1));
  return plain.ok() ? plain : library;
}

std::string CheckOption(const AdaptorLibrary& library, const Setting& setting) {
  if (library.api().check_option == nullptr) return {};
  std::string text(2048, '\0');
  const size_t size = library.api().check_option(setting.name.c_str(), setting.value.c_str(),
                                                 text.data(), text.size());
  return size == 0 ? "" : std::string(text.c_str());
}

const char* Reason(SendResult result) {
  switch (result) {
    case SendResult::kUnknownTopic:
      return "the topic is unknown there";
    case SendResult::kFull:
      return "its queue is full";
    case SendResult::kReconnecting:
      return "its queue is full, and it is being reconnected";
    case SendResult::kTooLarge:
      return "the message is larger than its queue";
    default:
      return "it refused the message or gave it up";
  }
}

}  // namespace

// ---------------------------------------------------------------- mailbox

void Mailbox::Post(const Answer& answer) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = answers_.empty();
    answers_.push_back(answer);
  }
  if (first) wake_.Signal();
}

void Mailbox::Take(std::vector<Answer>* answers) {
  wake_.Drain();
  answers->clear();
  const std::lock_guard lock(mutex_);
  answers->swap(answers_);
}

// ---------------------------------------------------------------- settings

Result<std::shared_ptr<Destination>> Destination::Make(const Handlers& handlers, size_t index,
                                                       const QueueBounds& most, const Times& times,
                                                       std::shared_ptr<Mailbox> mailbox) {
  const Handler& handler = handlers.all()[index];
  std::shared_ptr<Destination> made(new Destination());
  made->name_ = handler.name;
  made->connection_ = handler.connection;
  made->index_ = index;
  made->mailbox_ = std::move(mailbox);
  if (Status status = made->Load(handlers, handler); !status.ok()) return status;
  if (Status status = made->ReadBounds(handlers, handler, most); !status.ok()) return status;
  if (Status status = made->WriteConfig(handler, times); !status.ok())
    return handlers.Wrong(handler, handler.line, status.message());
  return made;
}

Status Destination::Load(const Handlers& handlers, const Handler& handler) {
  const auto wrong = [&](size_t line, const std::string& what) {
    return handlers.Wrong(handler, line, what);
  };
  auto library = LoadAdaptor(handler.adaptor);
  if (!library.ok()) return wrong(handler.line, library.status().message());
  library_ = std::move(library.value());
  if (library_->protocol() == "MULTI") {
    return wrong(handler.line,
                 "a destination cannot be another file of destinations (put its handlers here)");
  }
  for (const Setting& setting : handler.config) {
    const auto same = [&](const char* name) { return handler.Find(name) == &setting; };
    if (std::any_of(std::begin(kDecided), std::end(kDecided), same)) {
      return wrong(setting.line, "config." + setting.name +
                                     ": is decided for all handlers together (set it in the "
                                     "configuration of the multi adaptor)");
    }
    const std::string error = CheckOption(*library_, setting);
    if (!error.empty()) return wrong(setting.line, "config: " + error);
  }
  const Setting* topic = handler.Find("topic");
  own_topic_ = topic != nullptr && !topic->value.empty();
  return {};
}

Status Destination::ReadBounds(const Handlers& handlers, const Handler& handler,
                               const QueueBounds& most) {
  bounds_ = most;
  const auto read = [&](const char* name, OptionType::Kind kind, uint64_t largest,
                        auto* bound) -> Status {
    const Setting* setting = handler.Find(name);
    if (setting == nullptr) return {};
    const Result<OptionValue> value =
        ParseOptionValue({.kind = kind, .choices = {}, .min = 1, .max = {}}, setting->value);
    if (value.ok() && static_cast<uint64_t>(value->number) <= largest) {
      *bound = static_cast<uint64_t>(value->number);
      return {};
    }
    return handlers.Wrong(handler, setting->line,
                          std::string("config.") + name + ": must be from 1 to " +
                              std::to_string(largest) + ", a quarter of the multi adaptor's own " +
                              name + " (raise that)");
  };
  if (Status status = read("queue-size", OptionType::Kind::kInt, most.messages, &bounds_.messages);
      !status.ok()) {
    return status;
  }
  if (Status status = read("queue-bytes", OptionType::Kind::kBytes, most.bytes, &bounds_.bytes);
      !status.ok()) {
    return status;
  }
  const Setting* overflow = handler.Find("overflow");
  holds_up_ = overflow != nullptr && overflow->value == "block";
  return {};
}

Status Destination::WriteConfig(const Handler& handler, const Times& times) {
  std::string text = "[message-broker]\n";
  for (const Setting& setting : handler.config) {
    // The waiting is ours: a call that blocks would hold up the other destinations.
    if (&setting == handler.Find("overflow") && holds_up_) continue;
    if (&setting == handler.Find("queue-size") || &setting == handler.Find("queue-bytes")) continue;
    // Quotes keep blanks and comment signs; a third-party adaptor may not know them.
    const char* const quote = library_->ours() && setting.text ? "\"" : "";
    text += setting.name + " = " + quote + setting.value + quote + "\n";
  }
  if (library_->ours()) {
    text += "connect = lazy\nflush-timeout = " + std::to_string(times.flush.count()) +
            "\nqueue-size = " + std::to_string(bounds_.messages) +
            "\nqueue-bytes = " + std::to_string(bounds_.bytes) + "\n";
    if (handler.Find("connect-timeout") == nullptr)
      text += "connect-timeout = " + std::to_string(times.attempt.count()) + "\n";
    if (handler.Find("overflow") == nullptr || holds_up_) text += "overflow = drop-oldest\n";
  }
  const std::string label = "dsmsg-handler-" + name_.substr(0, 200);
  config_ = UniqueFd(memfd_create(label.c_str(), MFD_CLOEXEC));
  if (!config_.valid() ||
      write(config_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    const int error = errno;
    return {Code::kInternal, std::string("cannot keep its settings in memory: ") +
                                 std::strerror(error) + std::string(LimitAdvice(error))};
  }
  return {};
}

// ---------------------------------------------------------------- its own thread

void Destination::Start() {
  StartThread("dsmsg-multi", [self = shared_from_this()] { self->Run(); }).detach();
}

void Destination::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_ && slot_ == nullptr) {
    lock.unlock();
    Status failed;
    const auto keep = [&](const char* what) { failed = {Code::kUnavailable, what}; };
    Contained([&] { Connect(&failed); }, keep);
    lock.lock();
    if (!failed.ok()) failed_ = std::move(failed);
    mailbox_->Signal();
    if (slot_ == nullptr) changed_.wait_for(lock, kConnectPause, [this] { return stopping_; });
  }
  changed_.wait(lock, [this] { return stopping_; });
  const auto slot = slot_;
  lock.unlock();
  Status left;
  if (slot != nullptr) left = host::Connection::Leave(slot, shared_from_this(), Clock::now());
  if (!left.ok()) HostLog().Warn("handler \"" + name_ + "\": " + left.message());
  lock.lock();
  ended_ = true;
  changed_.notify_all();
}

void Destination::Connect(Status* failed) {
  host::HostSettings settings;
  settings.max_retry_limit = Millis(0);
  settings.overflow_timeout = settings.flush_timeout = Millis(0);
  settings.queue_size = bounds_.messages;
  settings.queue_bytes = bounds_.bytes;
  auto slot = host::Connection::Join(
      {.library = library_,
       .conn_str = connection_.empty() ? std::nullopt : std::optional(connection_),
       .config = "/proc/self/fd/" + std::to_string(config_.get()),
       .settings = settings,
       .log = &HostLog()},
      shared_from_this());
  if (!slot.ok()) {
    // Ours connects without its broker, so the settings are wrong.
    *failed = {library_->ours() ? Code::kInvalidArgument : Code::kUnavailable,
               slot.status().message()};
    return;
  }
  const std::lock_guard lock(mutex_);
  slot_ = std::move(slot.value());
}

void Destination::Stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

bool Destination::WaitEnded(Deadline deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return ended_; });
}

// ---------------------------------------------------------------- messages

SendResult Destination::Send(const Message& message, uint64_t number) {
  host::Connection::Slots::SlotPtr slot;
  {
    const std::lock_guard lock(mutex_);
    slot = slot_;
  }
  if (slot == nullptr) return SendResult::kRefused;
  header_texts_.clear();
  headers_.clear();
  for (const auto& [name, value] : message.headers) {
    header_texts_.emplace_back(name);
    header_texts_.emplace_back(value);
  }
  for (size_t i = 0; i + 1 < header_texts_.size(); i += 2)
    headers_.push_back({header_texts_[i].c_str(), header_texts_[i + 1].c_str()});
  host::MessageView view;
  // A destination with a topic of its own uses that. The contract's strings are not const.
  std::string topic(message.topic);
  view.topic = own_topic_ ? nullptr : topic.data();
  view.payload = reinterpret_cast<const uint8_t*>(message.payload.data());
  view.size = message.payload.size();
  view.key = message.key;
  view.timestamp_ms = message.timestamp_ms;
  view.headers = headers_;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a number, given back as it is.
  return slot->value->Send(shared_from_this(), view, {nullptr, reinterpret_cast<void*>(number)});
}

void Destination::OnSent(const host::Ticket& ticket, SendResult result) {
  mailbox_->Post({index_, reinterpret_cast<uint64_t>(ticket.user_ptr), result});
}

bool Destination::Up() const {
  const std::lock_guard lock(mutex_);
  return slot_ != nullptr && slot_->value->up();
}

Status Destination::Problem() const {
  const std::lock_guard lock(mutex_);
  Status problem = failed_;
  if (slot_ != nullptr) {
    const std::string text = library_->LastError(slot_->value->handle());
    problem = {Code::kUnavailable, text.empty() ? "cannot be reached (its log says why)" : text};
  } else if (problem.ok()) {
    problem = {Code::kUnavailable, "is still connecting"};
  }
  return {problem.code(), "handler \"" + name_ + "\": " + problem.message()};
}

Status Destination::Refusal(SendResult result) const {
  std::string text = "handler \"" + name_ + "\": " + Reason(result);
  const std::lock_guard lock(mutex_);
  if (slot_ == nullptr) {
    text += ": it is not connected yet";
  } else if (const std::string last = library_->LastError(slot_->value->handle()); !last.empty()) {
    text += " (its last error: " + last + ")";
  }
  return {result == SendResult::kUnknownTopic ? Code::kUnknownTopic : Code::kRejected, text};
}

}  // namespace dsmsg::multi
