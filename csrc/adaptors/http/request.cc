// SPDX-License-Identifier: Apache-2.0
#include "adaptors/http/request.h"

#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/base/encoding.h"
#include "core/base/fork.h"
#include "core/base/limits.h"

namespace dsmsg::http {
namespace {

constexpr size_t kQuoted = 200;                      // bytes of an answer in an error
constexpr size_t kLargestAnswer = size_t{64} << 10;  // the rest of a good answer is not waited for
constexpr Millis kLongestPause{300'000};

// "2026-11-30T10:00:00.123Z"
std::string TimeText(int64_t ms) {
  const time_t seconds = ms / 1000;
  tm utc = {};
  gmtime_r(&seconds, &utc);
  char text[40];
  const size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(ms % 1000));
  return text;
}

/// As CloudEvents' HTTP binding (3.1.3.2) has it in a header: no spaces, quotes, percent signs and
/// no bytes beyond ASCII.
std::string EventAttribute(std::string_view value) {
  std::string out;
  AppendPercentEncoded(value, "!#$&'()*+,/:;<=>?@[\\]^`{|}", &out);
  return out;
}

bool Means(long answer, std::initializer_list<long> codes) {
  return std::find(codes.begin(), codes.end(), answer) != codes.end();
}

}  // namespace

std::string Site::Url(std::string_view target) const {
  std::string url = settings.tls.enabled ? "https://" : "http://";
  url.append(server.ToString()).append(target);
  return url;
}

// As libcurl writes it: without the scheme's own port.
std::string Site::HostHeader() const {
  std::string host = server.ToString();
  const std::string_view own = settings.tls.enabled ? ":443" : ":80";
  if (host.ends_with(own)) host.erase(host.size() - own.size());
  return host;
}

Request::Request(Site& site) : site_(site), easy_(curl_easy_init()) {
  if (valid()) SetUp();
}

Request::~Request() = default;

void Request::SetUp() {
  CURL* const easy = easy_.get();
  const HttpSettings& settings = site_.settings;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(settings.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(settings.request_timeout.count()));
  // Without TLS, libcurl 7.88 cannot use a connection of HTTP/2 a second time.
  const bool http2 = settings.http2 && settings.tls.enabled;
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                   static_cast<long>(http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Request::OnAnswer);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  // Before each try: libcurl must not send a request again by itself over another connection, since
  // the server may have taken it.
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &Request::OnTry);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Request::OnSocket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  if (!settings.aws.used() && (!settings.login.user.empty() || !settings.login.password.empty())) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, settings.login.user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, settings.login.password.c_str());
  }
  if (settings.tls.enabled) {
    // Chain and name are verified by OpenSSL as in every adaptor (core/net/tls.h).
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &Request::OnContext);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, this);
  }
  SetUpProxy();
  const std::string host = site_.Dialled().ToString();
  const bool ipv6 = site_.address.find(':') != std::string::npos;
  const std::string entry = host + ":" + (ipv6 ? "[" + site_.address + "]" : site_.address);
  addresses_.reset(curl_slist_append(nullptr, entry.c_str()));
  // An address needs no entry, and brackets in a name are not understood.
  if (host.front() != '[') curl_easy_setopt(easy, CURLOPT_RESOLVE, addresses_.get());
}

void Request::SetUpProxy() {
  CURL* const easy = easy_.get();
  const Proxy& proxy = site_.settings.proxy;
  // Not what the environment says.
  curl_easy_setopt(easy, CURLOPT_PROXY, proxy.used() ? proxy.address.ToString().c_str() : "");
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  if (!proxy.used()) return;
  curl_easy_setopt(easy, CURLOPT_PROXYTYPE,
                   static_cast<long>(proxy.socks ? CURLPROXY_SOCKS5_HOSTNAME : CURLPROXY_HTTP));
  if (proxy.login.user.empty() && proxy.login.password.empty()) return;
  curl_easy_setopt(easy, CURLOPT_PROXYAUTH, CURLAUTH_BASIC);
  curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, proxy.login.user.c_str());
  curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, proxy.login.password.c_str());
}

CURLcode Request::OnContext(CURL*, void* context, void* self) {
  auto* const request = static_cast<Request*>(self);
  Site& site = request->site_;
  site.verdict.Clear();
  request->tls_ = ConfigureTls(site.settings.tls, site.server.host,
                               static_cast<ssl_ctx_st*>(context), &site.verdict);
  return request->tls_.ok() ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

curl_socket_t Request::OnSocket(void* self, curlsocktype, curl_sockaddr* address) {
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  static_cast<Request*>(self)->socket_error_ = fd < 0 ? errno : 0;
  CloseInChildren(fd);
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

int Request::OnTry(void* self, char*, char*, int, int) {
  auto* const request = static_cast<Request*>(self);
  const bool again = std::exchange(request->tried_, true);
  return again && !request->items_.empty() ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

// Anything but its size ends the transfer.
size_t Request::OnAnswer(char* data, size_t size, size_t count, void* self) {
  auto* const request = static_cast<Request*>(self);
  const size_t room = kQuoted - std::min(kQuoted, request->answer_.size());
  request->answer_.append(data, std::min(count * size, room));
  request->answer_size_ += size * count;
  return request->answer_size_ > kLargestAnswer ? 0 : size * count;
}

void Request::Add(std::string_view name, std::string_view value) {
  // "name;" is libcurl's form of a header without a value.
  line_.assign(name).append(value.empty() ? ";" : ": ").append(value);
  if (curl_slist* const longer = curl_slist_append(headers_.get(), line_.c_str())) {
    static_cast<void>(headers_.release());
    headers_.reset(longer);
  }
}

bool Request::IsGiven(std::string_view name) const {
  const auto same = [name](const Header& header) {
    return header.first.size() == name.size() &&
           strncasecmp(header.first.data(), name.data(), name.size()) == 0;
  };
  return !items_.empty() && std::ranges::any_of(items_.front().message.headers, same);
}

void Request::AddOwn(std::string_view name, std::string_view value) {
  if (!IsGiven(name)) Add(name, value);
}

void Request::SetHeaders() {
  const HttpSettings& settings = site_.settings;
  headers_.reset();
  headers_.reset(curl_slist_append(headers_.release(), "Expect:"));  // it costs a second
  if (!settings.bearer.empty()) AddOwn("Authorization", "Bearer " + settings.bearer);
  if (!items_.empty()) SetMessageHeaders();
  if (settings.aws.used()) Sign();
}

/// Each time anew: a signature is good for some minutes.
void Request::Sign() {
  const std::string host = site_.HostHeader();
  AwsRequest request;
  request.method = items_.empty() ? "GET" : site_.settings.put ? "PUT" : "POST";
  request.host = host;
  request.target = std::string_view(url_).substr(site_.Url("").size());
  request.payload = items_.empty() ? std::string_view() : body_;
  request.time = time(nullptr);
  for (const auto& [name, value] : AwsHeaders(site_.settings.aws, request)) Add(name, value);
}

void Request::SetMessageHeaders() {
  const HttpSettings& settings = site_.settings;
  const Message& message = items_.front().message;
  AddOwn("Content-Type", settings.content_type);
  if (is_zipped_) Add("Content-Encoding", "gzip");
  std::string id = message.id.ToString();
  if (items_.size() > 1) items_.back().message.id.AppendTo(&id.append("+"));
  if (!settings.id_header.empty()) AddOwn(settings.id_header, id);
  if (settings.cloud_events) {
    AddOwn("ce-specversion", "1.0");
    AddOwn("ce-id", id);
    AddOwn("ce-source", EventAttribute(settings.event_source));
    AddOwn("ce-type", EventAttribute(settings.event_type));
    AddOwn("ce-time", TimeText(message.timestamp_ms));
    if (!message.topic.empty()) AddOwn("ce-subject", EventAttribute(message.topic));
  }
  if (!settings.key_header.empty() && message.has_key) AddOwn(settings.key_header, message.key);
  for (const auto& [name, value] : message.headers) Add(name, value);
}

void Request::Send(std::vector<Item> items) {
  items_ = std::move(items);
  url_ = site_.Url(items_.front().target);
  body_ = items_.front().message.payload;
  if (site_.settings.batch > 1) {
    joined_ = "[";
    for (const Item& item : items_)
      joined_.append(joined_.size() > 1 ? "," : "").append(item.message.payload);
    joined_.append("]");
    body_ = joined_;
  }
  is_zipped_ =
      site_.settings.gzip && !IsGiven("Content-Encoding") && gzip_.Compress(body_, &zipped_);
  if (is_zipped_) body_ = zipped_;
  answer_size_ = 0;
  tried_ = false;
  answer_.clear();
  SetHeaders();
  CURL* const easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
  if (site_.settings.put) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
  // Not by a callback: so a small body leaves together with the headers. It is not copied.
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body_.empty() ? "" : body_.data());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
}

void Request::Ask(const std::string& target) {
  items_.clear();
  url_ = site_.Url(target);
  answer_size_ = 0;
  tried_ = false;
  answer_.clear();
  SetHeaders();
  CURL* const easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, nullptr);
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
}

// ---------------------------------------------------------------- what it came to

Verdict Request::Judge(CURLcode code) const {
  long answer = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &answer);
  // The server has answered, whatever became of the answer's body.
  return answer >= 200 ? JudgeAnswer(answer) : JudgeFailure(code);
}

/// What the proxy says to CONNECT, or to a request.
Verdict Request::JudgeProxy(long answer) const {
  const Proxy& proxy = site_.settings.proxy;
  const std::string text = "the proxy " + proxy.address.ToString() + " answered " +
                           std::to_string(answer) + " to the request for " +
                           site_.server.ToString();
  if (answer != 407) return {{Code::kUnavailable, text}, Verdict::About::kLink};
  const char* const advice = proxy.login.user.empty()
                                 ? " (does it want a login? proxy=http://user:password@host:port)"
                                 : " (check the user and the password in proxy)";
  return {{Code::kAuth, text + advice}, Verdict::About::kLink};
}

Verdict Request::JudgeFailure(CURLcode code) const {
  constexpr auto kLink = Verdict::About::kLink;
  const std::string peer = site_.server.ToString();
  long proxy_answer = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_CONNECTCODE, &proxy_answer);
  if (proxy_answer >= 300) return JudgeProxy(proxy_answer);
  if (site_.verdict.refused()) return {site_.verdict.Explain(peer), kLink};
  if (!tls_.ok()) return {tls_, kLink};
  const std::string_view detail = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
  const Proxy& proxy = site_.settings.proxy;
  const std::string at =
      peer + (proxy.used() ? " through the proxy " + proxy.address.ToString() : "") + ": ";
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {{Code::kTimeout, at + "no answer within request-timeout (" +
                                   std::to_string(site_.settings.request_timeout.count()) + " ms)"},
              kLink};
    case CURLE_NOT_BUILT_IN:
      return {{Code::kNotSupported,
               "this libcurl does not use OpenSSL, which TLS needs here (install libcurl4)"},
              kLink};
    case CURLE_COULDNT_CONNECT:
      if (const auto advice = LimitAdvice(socket_error_); !advice.empty()) {
        return {{Code::kUnavailable, at + "cannot create a socket: " +
                                         std::strerror(socket_error_) + std::string(advice)},
                kLink};
      }
      return {{Code::kUnavailable, at + std::string(detail)}, kLink};
    case CURLE_SSL_CONNECT_ERROR:
      return {site_.verdict.Explain(peer, std::string(detail)), kLink};
    case CURLE_GOT_NOTHING:
    case CURLE_ABORTED_BY_CALLBACK:  // OnTry
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return {{Code::kUnavailable, at + "the connection ended before the answer came; the server "
                                        "may have taken the request"},
              Verdict::About::kEither};
    default:
      return {{Code::kUnavailable, at + std::string(detail)}, kLink};
  }
}

// `"/path" answered 503: <the beginning of the answer>`, without what could be a secret.
std::string Request::Said(long answer) const {
  const std::string_view url = url_;
  std::string text =
      "\"" + std::string(url.substr(0, url.find('?'))) + "\" answered " + std::to_string(answer);
  std::string quoted = answer_.substr(0, kQuoted);
  std::replace_if(
      quoted.begin(), quoted.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  while (!quoted.empty() && quoted.back() == ' ') quoted.pop_back();
  return quoted.empty() ? text : text + ": " + quoted;
}

Verdict Request::JudgeAnswer(long answer) const {
  if (answer < 300) return {};
  if (answer == 407 && site_.settings.proxy.used()) return JudgeProxy(answer);
  const std::string said = Said(answer);
  if (Means(answer, {401, 407})) {
    const std::string advice =
        site_.settings.bearer.empty()
            ? LoginAdvice(site_.settings.login, "HTTP", "or set bearer-token")
            : " (check bearer-token: is it expired?)";
    return {LoginRefused(Code::kAuth, site_.server.ToString(), site_.settings.login, said, advice),
            Verdict::About::kLink};
  }
  if (answer >= 500 || Means(answer, {408, 425, 429})) {
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &seconds);
    const curl_off_t most = kLongestPause.count() / 1000;
    const auto pause = std::chrono::seconds(std::clamp<curl_off_t>(seconds, 0, most));
    return {{Code::kUnavailable, said}, Verdict::About::kMessages, pause};
  }
  if (answer < 400) {
    return {{Code::kRejected, said + " (redirections are not followed: name the new address)"}};
  }
  if (answer == 403 && site_.settings.aws.used())
    return {{Code::kRejected, said + " (check the keys, sign-region and the clock)"}};
  if (Means(answer, {404, 410}))
    return {{Code::kUnknownTopic, said + " (does the server know this path?)"}};
  if (answer == 415 && is_zipped_)
    return {{Code::kRejected, said + " (does the server take gzip? or set compression=none)"}};
  if (answer == 413) {
    return {{Code::kTooLarge, said + " (" + std::to_string(body_.size()) +
                                  " bytes: raise the server's limit, or lower batch-size)"}};
  }
  return {{Code::kRejected, said}};
}

}  // namespace dsmsg::http
