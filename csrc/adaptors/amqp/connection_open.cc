// SPDX-License-Identifier: Apache-2.0
// How a connection is opened: the part of AmqpConnection up to the open channel.
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "adaptors/amqp/connection.h"
#include "adaptors/amqp/errors.h"

namespace dsmsg::amqp {
namespace {

constexpr size_t kFirstFrameMax = 131072;  // before the two sides have agreed

amqp_table_entry_t Text(const char* key, std::string_view value) {
  amqp_table_entry_t entry{};
  entry.key = ToBytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = ToBytes(value);
  return entry;
}

amqp_table_entry_t Yes(const char* key) {
  amqp_table_entry_t entry{};
  entry.key = ToBytes(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = 1;
  return entry;
}

bool HasWord(std::string_view words, std::string_view wanted) {
  while (!words.empty()) {
    const size_t blank = words.find(' ');
    if (words.substr(0, blank) == wanted) return true;
    words.remove_prefix(blank == words.npos ? words.size() : blank + 1);
  }
  return false;
}

// The value that suits both: the smaller one; 0 means "any".
uint32_t Agree(uint32_t ours, uint32_t theirs) {
  return ours == 0 || theirs == 0 ? std::max(ours, theirs) : std::min(ours, theirs);
}

}  // namespace

Status AmqpConnection::Open(const std::string& role, Deadline deadline, int cancel_fd) {
  return servers_.Open(
      deadline,
      [&](const HostPort& host, Deadline share) { return OpenOne(host, role, share, cancel_fd); },
      [this] { Close(); });
}

Status AmqpConnection::OpenOne(const HostPort& host, const std::string& role, Deadline deadline,
                               int cancel_fd) {
  Close();
  name_ = host.ToString();
  if (Status status = stream_.Open(host, settings_.tls, peer().answered, deadline, cancel_fd);
      !status.ok()) {
    return status;
  }
  silence_.Reset();
  last_send_ = Clock::now();
  out_.SetFrameMax(kFirstFrameMax);
  in_.SetFrameMax(kFirstFrameMax);
  if (Status status = LogIn(role, deadline, cancel_fd); !status.ok()) return status;
  logged_in_ = true;
  const amqp_channel_open_t open{};
  const Status status = Call(AMQP_CHANNEL_OPEN_METHOD, &open, AMQP_CHANNEL_OPEN_OK_METHOD,
                             "open a channel", deadline, cancel_fd);
  opened_ = status.ok();
  if (opened_) servers_.Worked(name_);
  return status;
}

std::string AmqpConnection::LoginRefusedAdvice() const {
  if (settings_.external) {
    return " (does the broker have a user with the client certificate's name, and the plugin "
           "rabbitmq_auth_mechanism_ssl?)";
  }
  const bool guest = settings_.login.user == "guest";  // RabbitMQ's default
  return LoginAdvice(settings_.login, "AMQP",
                     guest ? "guest may log in only from the broker's own machine" : "");
}

Status AmqpConnection::LogIn(const std::string& role, Deadline deadline, int cancel_fd) {
  AmqpEvent event;
  out_.ProtocolHeader();
  Status status =
      WaitFor(AMQP_CONNECTION_START_METHOD, "start the login", deadline, cancel_fd, &event);
  if (!status.ok()) return status;
  greeted_ = true;
  const auto* start = static_cast<const amqp_connection_start_t*>(event.method);
  status = SendStartOk(role, ToView(start->mechanisms));
  if (!status.ok()) return status;

  const std::string login = settings_.external ? "log in with the client certificate"
                                               : "log in as \"" + settings_.login.user + "\"";
  status = WaitFor(AMQP_CONNECTION_TUNE_METHOD, login, deadline, cancel_fd, &event);
  if (status.code() == Code::kAuth && close_code_ != 0) {
    return LoginRefused(Code::kAuth, name_, settings_.login, status.message(),
                        LoginRefusedAdvice());
  }
  if (!status.ok()) return status;
  status = Tune(*static_cast<const amqp_connection_tune_t*>(event.method));
  if (!status.ok()) return status;

  amqp_connection_open_t open{};
  open.virtual_host = ToBytes(settings_.vhost);
  if (!out_.Method(0, AMQP_CONNECTION_OPEN_METHOD, &open)) {
    return {Code::kInvalidArgument, "vhost does not fit into a frame"};
  }
  status = WaitFor(AMQP_CONNECTION_OPEN_OK_METHOD, "open the vhost", deadline, cancel_fd, &event);
  if (status.permanent()) {
    return {status.code(),
            "cannot open the vhost \"" + settings_.vhost + "\": " + status.message()};
  }
  return status;
}

Status AmqpConnection::SendStartOk(const std::string& role, std::string_view mechanisms) {
  const char* mechanism = settings_.external ? "EXTERNAL" : "PLAIN";
  if (!HasWord(mechanisms, mechanism)) {
    return {Code::kAuth,
            "cannot log in: " + name_ + " does not offer " + mechanism + ", only " +
                std::string(mechanisms) +
                (settings_.external
                     ? " (enable the plugin rabbitmq_auth_mechanism_ssl, or set a password)"
                     : " (set tls-certfile without a password for EXTERNAL)")};
  }
  // RabbitMQ sends a client only notifications that it declares to understand.
  amqp_table_entry_t can[] = {Yes("publisher_confirms"), Yes("basic.nack"),
                              Yes("consumer_cancel_notify"), Yes("connection.blocked"),
                              Yes("authentication_failure_close")};
  amqp_table_entry_t capabilities{};
  capabilities.key = ToBytes("capabilities");
  capabilities.value.kind = AMQP_FIELD_KIND_TABLE;
  capabilities.value.value.table = {static_cast<int>(std::size(can)), can};
  const std::string name = "dsmsg " + role + " " + std::to_string(getpid());
  amqp_table_entry_t properties[] = {Text("product", "dsmsg"), Text("platform", "C++, rabbitmq-c"),
                                     Text("connection_name", name), capabilities};
  amqp_connection_start_ok_t ok{};
  ok.client_properties = {static_cast<int>(std::size(properties)), properties};
  ok.mechanism = ToBytes(mechanism);
  std::string response;
  if (!settings_.external) {
    response += '\0' + settings_.login.user + '\0' + settings_.login.password;
  }
  ok.response = ToBytes(response);
  ok.locale = ToBytes("en_US");
  if (out_.Method(0, AMQP_CONNECTION_START_OK_METHOD, &ok)) return {};
  return {Code::kInvalidArgument, "user name and password are too long for a login"};
}

Status AmqpConnection::Tune(const amqp_connection_tune_t& tune) {
  amqp_connection_tune_ok_t ok{};
  ok.channel_max = static_cast<uint16_t>(Agree(settings_.channel_max, tune.channel_max));
  ok.frame_max = Agree(settings_.frame_max, tune.frame_max);
  // Our 0 turns heartbeats off; the broker's 0 leaves the choice to us.
  ok.heartbeat = settings_.heartbeat == 0
                     ? uint16_t{0}
                     : static_cast<uint16_t>(Agree(settings_.heartbeat, tune.heartbeat));
  if (!out_.Method(0, AMQP_CONNECTION_TUNE_OK_METHOD, &ok)) {
    return {Code::kInternal, "tune-ok does not fit into a frame"};
  }
  out_.SetFrameMax(ok.frame_max);
  in_.SetFrameMax(ok.frame_max);
  heartbeat_ = std::chrono::seconds(ok.heartbeat);
  channel_max_ = ok.channel_max;
  return {};
}

}  // namespace dsmsg::amqp
