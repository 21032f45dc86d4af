// SPDX-License-Identifier: Apache-2.0
#include "adaptors/http/driver.h"

#include <curl/curl.h>
#include <poll.h>

#include "core/options/settings.h"

namespace dsmsg::http {
namespace {

const char* CurlVersion() { return curl_version_info(CURLVERSION_NOW)->version; }

Status Adjust(Settings* settings) {
  const Result<Template> target =
      Template::Compile(TargetText(settings->endpoints, settings->config));
  settings->topic_optional = target.ok() && !target->needs_topic();
  // Without an answer to a probe a link says little: a proxy in front of a server that is down
  // takes connections and ends them.
  const Config& config = settings->config;
  if (!config.IsSet("poison-attempts") && config.GetString("probe").empty())
    settings->queue.poison_attempts = 0;
  return {};
}

}  // namespace

const DriverInfo& HttpDriver::Info() {
  static constexpr std::string_view kSchemes[] = {"http", "https"};
  static const DriverInfo info = [] {
    DriverInfo made{};
    made.protocol = "HTTP";
    made.env_suffix = "HTTP";
    made.delivery =
        "OK: the server has answered the request with a status from 200 to 299; what that means is "
        "up to the server";
    made.library = "libcurl";
    made.library_version = CurlVersion;
    made.options = Options();
    made.conn_rules.protocol = "http";
    made.conn_rules.schemes = kSchemes;
    made.conn_rules.default_port = 80;
    made.conn_rules.tls_port = 443;
    made.conn_rules.instead = "listen";
    made.adjust = Adjust;
    made.matches = HttpEndpoint::Matches;
    made.no_headers = [](const Config& config) -> const char* {
      return config.GetInt("batch-size") == 1 ? nullptr : "with batch-size messages share a header";
    };
    return made;
  }();
  return info;
}

Status HttpDriver::Configure(const Endpoints& endpoints, const Config& config) {
  Result<HttpSettings> settings = ReadSettings(endpoints, config);
  if (!settings.ok()) return settings.status();
  settings_ = std::move(settings.value());
  only_receives_ = settings_.hosts.empty();
  if (settings_.tls.enabled && !settings_.tls.verify)
    host_.log().Limited(LogLevel::kWarn, "tls-verify", kInsecureWarning);
  return {};
}

Status HttpDriver::Open(Role role, Deadline deadline, int cancel_fd) {
  if (role == Role::kConsumer) {
    if (endpoint_ == nullptr) endpoint_ = std::make_unique<HttpEndpoint>(settings_, host_);
    return endpoint_->Open();
  }
  if (only_receives_) return {};
  if (sender_ == nullptr) sender_ = std::make_unique<HttpSender>(settings_, host_);
  return sender_->Open(deadline, cancel_fd);
}

Status HttpDriver::Submit(const Message& message, Token token) {
  if (sender_ == nullptr) {
    return {Code::kInvalidArgument,
            "this connection only receives (give it a URL as connection string to send to)"};
  }
  return sender_->Submit(message, token);
}

Status HttpDriver::Poll(Millis budget, int wake_fd) {
  if (endpoint_ != nullptr) return endpoint_->Poll(budget, wake_fd);
  if (sender_ != nullptr) return sender_->Poll(budget, wake_fd);
  pollfd wake{wake_fd, POLLIN, 0};
  ::poll(&wake, 1, static_cast<int>(budget.count()));
  return {};
}

Status HttpDriver::Subscribe(std::span<const std::string> topics, Deadline) {
  if (endpoint_ == nullptr) return {Code::kInternal, "this connection only sends"};
  endpoint_->Subscribe(topics);
  return {};
}

void HttpDriver::Ack(AckToken token) noexcept {
  if (endpoint_ != nullptr) endpoint_->Answer(token, true);
}

void HttpDriver::Release(AckToken token, InMessage&&) noexcept {
  if (endpoint_ != nullptr) endpoint_->Answer(token, false);
}

void HttpDriver::Close(Millis drain, int) noexcept {
  if (endpoint_ != nullptr) endpoint_->Close(drain);
  if (sender_ != nullptr) sender_->Close();
}

}  // namespace dsmsg::http
