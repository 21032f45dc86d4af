// SPDX-License-Identifier: Apache-2.0
#include "adaptors/http/endpoint.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/base/fork.h"
#include "core/base/guard.h"
#include "core/base/thread.h"

namespace dsmsg::http {
namespace {

constexpr int kBacklog = 128;
constexpr size_t kHeaderMemory = size_t{64} << 10;
constexpr Millis kLookEvery{200};    // for slow clients
constexpr unsigned kTooLarge = 413;  // its name differs between versions

MHD_Result Reply(MHD_Connection* connection, unsigned status) {
  MHD_Response* const response =
      MHD_create_response_from_buffer(0, nullptr, MHD_RESPMEM_PERSISTENT);
  if (response == nullptr) return MHD_NO;
  if (status == MHD_HTTP_SERVICE_UNAVAILABLE) MHD_add_response_header(response, "Retry-After", "1");
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
    MHD_add_response_header(response, "Allow", "POST, PUT");
  const MHD_Result queued = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return queued;
}

const char* HeaderOf(MHD_Connection* connection, const char* name) {
  return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/// Belongs to the request and not to the message: passed on with it, it would spoil another one.
bool IsOfRequest(const char* name) {
  constexpr const char* kNames[] = {"host",       "content-length", "transfer-encoding",
                                    "connection", "keep-alive",     "te",
                                    "trailer",    "upgrade",        "proxy-connection",
                                    "expect",     "accept",         "accept-encoding"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [name](const char* each) { return strcasecmp(name, each) == 0; });
}

// In a time that does not depend on how much of it is right.
bool IsSecret(const char* given, const std::string& wanted) {
  return given != nullptr && std::strlen(given) == wanted.size() &&
         CRYPTO_memcmp(given, wanted.data(), wanted.size()) == 0;
}

}  // namespace

bool HttpEndpoint::Matches(const Config&, const std::string& filter, const std::string& topic) {
  if (filter == "#") return true;
  if (!filter.ends_with("/#")) return filter == topic;
  return topic.starts_with(std::string_view(filter).substr(0, filter.size() - 1));
}

// ---------------------------------------------------------------- the socket

Status HttpEndpoint::Listen(UniqueFd* out) const {
  const HostPort& where = settings_.listen;
  const auto failed = [&](const std::string& why) {
    return Status(Code::kUnavailable, "cannot listen on " + where.ToString() + ": " + why);
  };
  addrinfo hints = {}, *found = nullptr;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  const int error =
      getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &found);
  if (error != 0) return failed(gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  UniqueFd fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!fd.valid()) return failed(std::strerror(errno));
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), kBacklog) != 0) {
    return failed(errno == EADDRINUSE ? "another program has this port" : std::strerror(errno));
  }
  *out = std::move(fd);
  return {};
}

Status HttpEndpoint::Open() {
  if (settings_.listen.port == 0) {
    return {Code::kInvalidArgument,
            "subscribe needs an endpoint: set listen, for example listen=127.0.0.1:8088"};
  }
  UniqueFd fd;
  if (Status status = Listen(&fd); !status.ok()) return status;
  const int socket = fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);  // the daemon closes it
  CloseInChildren(socket);
  const bool tls = !settings_.listen_cert.empty();
  const unsigned flags =
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls ? unsigned{MHD_USE_TLS} : 0U);
  std::vector<MHD_OptionItem> options = {
      {MHD_OPTION_LISTEN_SOCKET, socket, nullptr},
      {MHD_OPTION_CONNECTION_LIMIT, static_cast<intptr_t>(settings_.listen_connections), nullptr},
      {MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<intptr_t>(kHeaderMemory), nullptr},
      {MHD_OPTION_URI_LOG_CALLBACK, reinterpret_cast<intptr_t>(&HttpEndpoint::OnLine), this},
      {MHD_OPTION_NOTIFY_CONNECTION, reinterpret_cast<intptr_t>(&HttpEndpoint::OnConnection), this},
      {MHD_OPTION_NOTIFY_COMPLETED, reinterpret_cast<intptr_t>(&HttpEndpoint::OnEnd), this}};
  if (tls) {
    options.push_back(
        {MHD_OPTION_HTTPS_MEM_CERT, 0, const_cast<char*>(settings_.listen_cert.c_str())});
    options.push_back(
        {MHD_OPTION_HTTPS_MEM_KEY, 0, const_cast<char*>(settings_.listen_key.c_str())});
  }
  options.push_back({MHD_OPTION_END, 0, nullptr});
  daemon_.reset(MHD_start_daemon(flags, 0, &HttpEndpoint::OnAccept, this, &HttpEndpoint::OnRequest,
                                 this, MHD_OPTION_ARRAY, options.data(), MHD_OPTION_END));
  if (daemon_ == nullptr) {
    return {Code::kInvalidArgument,
            "cannot start the endpoint on " + settings_.listen.ToString() +
                (tls ? " (do listen-certfile and listen-keyfile belong together?)" : "")};
  }
  return {};
}

// Those that may not send anything must not take the places of those that may.
MHD_Result HttpEndpoint::OnAccept(void* self, const sockaddr* address, socklen_t) {
  const auto* const endpoint = static_cast<HttpEndpoint*>(self);
  const unsigned most = std::max(1U, endpoint->settings_.listen_connections / 4);
  return endpoint->IsAllowed(address) || endpoint->strangers_ < most ? MHD_YES : MHD_NO;
}

void HttpEndpoint::OnConnection(void* self, MHD_Connection* connection, void**,
                                MHD_ConnectionNotificationCode code) {
  auto* const endpoint = static_cast<HttpEndpoint*>(self);
  if (code != MHD_CONNECTION_NOTIFY_STARTED) {
    const auto found = endpoint->peers_.find(connection);
    if (found == endpoint->peers_.end()) return;
    if (found->second.stranger) --endpoint->strangers_;
    endpoint->peers_.erase(found);
    return;
  }
  const auto begin = [&] {
    const MHD_ConnectionInfo* const fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const MHD_ConnectionInfo* const address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const bool stranger = address == nullptr || !endpoint->IsAllowed(address->client_addr);
    const Peer peer = {fd == nullptr ? -1 : fd->connect_fd, stranger, false,
                       Clock::now() + endpoint->settings_.listen_timeout};
    endpoint->peers_.emplace(connection, peer);
    if (stranger) ++endpoint->strangers_;
  };
  Contained(begin, [](const char* what) { LogException("a connection", what); });
}

void* HttpEndpoint::OnLine(void* self, const char*, MHD_Connection* connection) {
  static_cast<HttpEndpoint*>(self)->Turn(connection);
  return nullptr;  // the state of the request, which OnRequest makes
}

void HttpEndpoint::Turn(MHD_Connection* connection) {
  const auto peer = peers_.find(connection);
  if (peer == peers_.end()) return;
  peer->second.waits = false;
  peer->second.due = Clock::now() + settings_.listen_timeout;
}

// One that sends a byte now and then is never idle.
void HttpEndpoint::EndSlow() {
  const Deadline now = Clock::now();
  if (now < look_at_) return;
  look_at_ = now + kLookEvery;
  for (const auto& [connection, peer] : peers_) {
    if (!peer.waits && now >= peer.due) shutdown(peer.fd, SHUT_RDWR);
  }
}

void HttpEndpoint::Run(Millis budget, int wake_fd) {
  EndSlow();
  if (!peers_.empty()) budget = std::min(budget, kLookEvery);
  MHD_run(daemon_.get());
  unsigned MHD_LONG_LONG due = 0;
  if (MHD_get_timeout(daemon_.get(), &due) == MHD_YES)
    budget = std::min(budget,
                      Millis(static_cast<int64_t>(std::min<unsigned MHD_LONG_LONG>(due, 60'000))));
  const int epoll = MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD)->listen_fd;
  pollfd ready[] = {{epoll, POLLIN, 0}, {wake_fd, POLLIN, 0}};
  if (poll(ready, 2, static_cast<int>(budget.count())) > 0 && ready[0].revents != 0)
    MHD_run(daemon_.get());
}

Status HttpEndpoint::Poll(Millis budget, int wake_fd) {
  if (daemon_ == nullptr) return {Code::kInternal, "not open"};
  Run(budget, wake_fd);
  return {};
}

void HttpEndpoint::Close(Millis drain) noexcept {
  if (daemon_ == nullptr) return;
  while (!delivered_.empty()) Answer(delivered_.begin()->first, false);
  MHD_run(daemon_.get());
  for (const Deadline end = Clock::now() + drain; answers_ > 0 && Clock::now() < end;)
    Run(Millis(PollTimeout(end)), -1);
  daemon_.reset();
  topics_.clear();
  answers_ = 0;
}

// ---------------------------------------------------------------- requests

MHD_Result HttpEndpoint::OnRequest(void* self, MHD_Connection* connection, const char* url,
                                   const char* method, const char*, const char* data, size_t* size,
                                   void** state) {
  auto* const endpoint = static_cast<HttpEndpoint*>(self);
  MHD_Result result = MHD_NO;  // without memory for it the request ends
  const auto handle = [&] {
    auto* exchange = static_cast<Exchange*>(*state);
    if (exchange != nullptr) {
      result = endpoint->Continue(exchange, data, size);
      return;
    }
    *state = exchange = new Exchange;
    exchange->connection = connection;
    result = endpoint->Begin(exchange, url, method);
  };
  Contained(handle, [](const char* what) { LogException("a request", what); });
  return result;
}

MHD_Result HttpEndpoint::Continue(Exchange* exchange, const char* data, size_t* size) {
  if (*size > 0) {
    // One that does not say its size, or lies: the connection ends.
    if (exchange->message.payload.size() + *size > settings_.listen_most_bytes) return MHD_NO;
    exchange->message.payload.append(data, *size);
    *size = 0;
    return MHD_YES;
  }
  return exchange->answer != 0 ? Reply(exchange->connection, exchange->answer) : Deliver(exchange);
}

void HttpEndpoint::OnEnd(void* self, MHD_Connection* connection, void** state,
                         MHD_RequestTerminationCode) {
  auto* const endpoint = static_cast<HttpEndpoint*>(self);
  endpoint->Turn(connection);
  const std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(*state));
  *state = nullptr;
  if (exchange == nullptr) return;
  if (exchange->token != kNoToken) endpoint->delivered_.erase(exchange->token);
  if (exchange->answer != 0 && endpoint->answers_ > 0) --endpoint->answers_;
}

MHD_Result HttpEndpoint::Begin(Exchange* exchange, const char* url, const char* method) {
  if (const unsigned refusal = Refusal(exchange->connection, url, method); refusal != 0)
    return Reply(exchange->connection, refusal);
  exchange->message.topic = url + 1;
  ReadHeaders(exchange);
  return MHD_YES;
}

unsigned HttpEndpoint::Refusal(MHD_Connection* connection, const char* url,
                               const std::string& method) {
  const auto peer = peers_.find(connection);
  if (peer == peers_.end() || peer->second.stranger) return MHD_HTTP_FORBIDDEN;
  if (!HasHeaders(connection)) return MHD_HTTP_UNAUTHORIZED;
  if (method != MHD_HTTP_METHOD_POST && method != MHD_HTTP_METHOD_PUT)
    return MHD_HTTP_METHOD_NOT_ALLOWED;
  if (const char* const text = HeaderOf(connection, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
    size_t length = 0;
    const char* const end = text + std::strlen(text);
    const auto [last, error] = std::from_chars(text, end, length);
    if (error != std::errc() || last != end || length > settings_.listen_most_bytes)
      return kTooLarge;
  }
  if (topics_.empty()) return MHD_HTTP_SERVICE_UNAVAILABLE;
  const Config unused;
  const std::string topic = url + 1;
  const bool wanted = std::any_of(topics_.begin(), topics_.end(), [&](const std::string& filter) {
    return Matches(unused, filter, topic);
  });
  return wanted ? 0 : MHD_HTTP_NOT_FOUND;
}

bool HttpEndpoint::IsAllowed(const sockaddr* client) const {
  if (settings_.listen_allow.empty()) return true;
  if (client == nullptr) return false;
  std::string_view address;
  if (client->sa_family == AF_INET) {
    const auto* const ipv4 = reinterpret_cast<const sockaddr_in*>(client);
    address = {reinterpret_cast<const char*>(&ipv4->sin_addr), sizeof ipv4->sin_addr};
  } else if (client->sa_family == AF_INET6) {
    const auto* const ipv6 = reinterpret_cast<const sockaddr_in6*>(client);
    address = {reinterpret_cast<const char*>(&ipv6->sin6_addr), sizeof ipv6->sin6_addr};
  }
  return std::any_of(settings_.listen_allow.begin(), settings_.listen_allow.end(),
                     [&](const Network& network) { return network.Contains(address); });
}

bool HttpEndpoint::HasHeaders(MHD_Connection* connection) const {
  return std::all_of(settings_.listen_headers.begin(), settings_.listen_headers.end(),
                     [&](const auto& wanted) {
                       return IsSecret(HeaderOf(connection, wanted.first.c_str()), wanted.second);
                     });
}

/// What a host gets to see: no login.
void HttpEndpoint::ReadHeaders(Exchange* exchange) const {
  struct Reader {
    const HttpSettings& settings;
    InMessage& message;
  } reader = {settings_, exchange->message};
  const auto read = [](void* self, MHD_ValueKind, const char* name, const char* text) {
    const auto& [settings, message] = *static_cast<Reader*>(self);
    const char* const value = text == nullptr ? "" : text;
    const auto is = [name](const std::string& other) {
      return !other.empty() && strcasecmp(name, other.c_str()) == 0;
    };
    if (is(settings.id_header)) message.id = value;
    if (is(settings.key_header)) {
      message.key = value;
      message.has_key = true;
    }
    const bool secret = is("authorization") || is("cookie") || is("proxy-authorization") ||
                        std::any_of(settings.listen_headers.begin(), settings.listen_headers.end(),
                                    [&](const auto& wanted) { return is(wanted.first); });
    if (!secret && !IsOfRequest(name)) message.headers.emplace_back(name, value);
    return MHD_YES;
  };
  MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, read, &reader);
}

MHD_Result HttpEndpoint::Deliver(Exchange* exchange) {
  const AckToken token = last_token_ + 1;
  if (!host_.Deliver(std::move(exchange->message), token).ok())
    return Reply(exchange->connection, MHD_HTTP_SERVICE_UNAVAILABLE);
  last_token_ = exchange->token = token;
  peers_[exchange->connection].waits = true;
  delivered_.emplace(token, exchange);
  MHD_suspend_connection(exchange->connection);
  return MHD_YES;
}

void HttpEndpoint::Answer(AckToken token, bool taken) noexcept {
  const auto found = delivered_.find(token);
  if (found == delivered_.end()) return;
  Exchange* const exchange = found->second;
  delivered_.erase(found);
  exchange->token = kNoToken;
  exchange->answer = taken ? MHD_HTTP_NO_CONTENT : MHD_HTTP_SERVICE_UNAVAILABLE;
  ++answers_;
  MHD_resume_connection(exchange->connection);
}

}  // namespace dsmsg::http
