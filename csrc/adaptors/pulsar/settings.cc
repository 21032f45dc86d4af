// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/settings.h"

#include <algorithm>

#include "adaptors/pulsar/topic.h"
#include "core/base/text_file.h"

namespace dsmsg::pulsar {
namespace {

constexpr size_t kLargestToken = size_t{64} << 10;

Result<std::string> ReadToken(const std::string& path) {
  Result<std::string> text = ReadTextFile(path, kLargestToken);
  if (!text.ok()) {
    return Status(Code::kInvalidArgument, "token-file = " + path + ": " + text.status().message());
  }
  const size_t first = text->find_first_not_of(" \t\r\n");
  if (first == std::string::npos) {
    return Status(Code::kInvalidArgument, "token-file = " + path + ": it is empty");
  }
  return text->substr(first, text->find_last_not_of(" \t\r\n") - first + 1);
}

// A name that the protocol carries as text.
Status CheckName(const Config& config, const char* option) {
  const std::string text = config.GetString(option);
  const auto control = [](char c) { return static_cast<unsigned char>(c) < ' '; };
  if (IsText(text) && std::none_of(text.begin(), text.end(), control)) return {};
  return {Code::kInvalidArgument,
          std::string(option) + " must be UTF-8 text without control characters"};
}

}  // namespace

Result<Login> PulsarSettings::ReadLogin() const {
  if (!token_file.empty()) {
    Result<std::string> token = ReadToken(token_file);
    if (!token.ok()) return token.status();
    return Login{"token", std::move(token.value())};
  }
  if (!login.user.empty()) return Login{"basic", login.user + ":" + login.password};
  if (!login.password.empty()) return Login{"token", login.password};
  if (!tls.certfile.empty()) return Login{"tls", {}};
  return Login{};
}

std::string PulsarSettings::Advice() const {
  if (!token_file.empty()) return " (write a valid token into token-file: it is read again)";
  if (login.user.empty() && !login.password.empty()) {
    return " (check the token in PASSWORD_PULSAR, or set token-file)";
  }
  if (login.user.empty() && !tls.certfile.empty()) {
    return " (does the broker know the role of tls-certfile?)";
  }
  if (login.user.empty()) return " (set token-file, or USER_PULSAR and PASSWORD_PULSAR)";
  return LoginAdvice(login, "PULSAR");
}

Result<PulsarSettings> ReadSettings(const Endpoints& endpoints, const Config& config) {
  PulsarSettings settings;
  Result<TlsSettings> tls = ReadTlsSettings(endpoints, config);
  if (!tls.ok()) return tls.status();
  settings.tls = std::move(tls.value());
  if (endpoints.hosts.empty()) {
    return Status(Code::kInvalidArgument,
                  "no server is named (conn-str is \"host;port\", for example \"localhost;6650\", "
                  "or set hostname and port in the config file)");
  }
  settings.hosts = endpoints.hosts;
  settings.login = dsmsg::ReadLogin(endpoints, config, "PULSAR");
  settings.token_file = config.GetString("token-file");
  if (!settings.token_file.empty()) {
    if (!settings.login.user.empty() || !settings.login.password.empty()) {
      return Status(Code::kInvalidArgument,
                    "both a login (or token) and token-file are set: a broker takes one (leave "
                    "the other out)");
    }
    if (Result<Login> read = settings.ReadLogin(); !read.ok()) return read.status();
  }
  settings.name_space = config.GetString("namespace");
  if (!IsNamespace(settings.name_space)) {
    return Status(Code::kInvalidArgument, "namespace = " + settings.name_space +
                                              ": must be a tenant and a namespace, for example "
                                              "public/default");
  }
  for (const char* option : {"producer-name", "subscription", "consumer-name", "listener-name"}) {
    if (Status status = CheckName(config, option); !status.ok()) return status;
  }
  settings.connect_timeout = config.GetMillis("connect-timeout");
  settings.silence_limit = std::max(settings.connect_timeout, Millis(5000));
  settings.listener = config.GetString("listener-name");
  settings.producer_name = config.GetString("producer-name");
  settings.pipeline = static_cast<size_t>(config.GetInt("pipeline"));
  settings.batch_messages = static_cast<size_t>(config.GetInt("batch-messages"));
  settings.batch_bytes = static_cast<size_t>(config.GetBytes("batch-bytes"));
  settings.murmur3 = config.GetString("key-hash") == "murmur3";
  settings.ack_timeout = config.GetMillis("ack-timeout");
  settings.subscription = config.GetString("subscription");
  const std::string type = config.GetString("subscription-type");
  settings.subscription_type = type == "exclusive" ? 0 : type == "shared" ? 1 : 2;
  settings.earliest = config.GetString("initial-position") == "earliest";
  settings.receiver_queue = static_cast<uint32_t>(config.GetInt("receiver-queue"));
  settings.consumer_name = config.GetString("consumer-name");
  return settings;
}

}  // namespace dsmsg::pulsar
