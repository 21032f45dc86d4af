// SPDX-License-Identifier: Apache-2.0
#include "adaptors/nats/settings.h"

#include <algorithm>

#include "adaptors/nats/nkey.h"
#include "adaptors/nats/subject.h"

namespace dsmsg::nats {
namespace {

Status ReadIdentity(const Endpoints& endpoints, const Config& config, NatsSettings* out) {
  out->login = ReadLogin(endpoints, config, "NATS");
  out->nkey_seed = config.GetString("nkey-seed");
  out->credentials = config.GetString("credentials");
  // nats://token@host, as other clients of NATS read it.
  if (!endpoints.user.empty() && out->login.user == endpoints.user && out->login.password.empty()) {
    out->login.password = std::exchange(out->login.user, {});
  }
  const bool login = !out->login.user.empty() || !out->login.password.empty();
  const int ways =
      (login ? 1 : 0) + (out->nkey_seed.empty() ? 0 : 1) + (out->credentials.empty() ? 0 : 1);
  if (ways > 1) {
    return {
        Code::kInvalidArgument,
        "more than one of login (or token), nkey-seed and credentials is set: a server takes one "
        "(leave the others out)"};
  }
  if (!out->credentials.empty()) {
    const Result<Credentials> read = ReadCredentials(out->credentials);
    if (!read.ok()) return read.status();
    const Result<Signed> trial = SignNonce(read.value().seed, "trial");
    return trial.ok() ? Status() : trial.status();
  }
  if (out->nkey_seed.empty()) return {};
  const Result<Signed> trial = SignNonce(out->nkey_seed, "trial");
  return trial.ok() ? Status() : trial.status();
}

// Part of a subject, or empty.
Status CheckToken(const Config& config, const char* option, bool dots) {
  const std::string text = config.GetString(option);
  const bool valid = text.empty() || (CheckSubject(text, false).ok() &&
                                      (dots || text.find('.') == std::string::npos));
  if (valid) return {};
  return {Code::kInvalidArgument, std::string(option) + " = " + text + ": must hold no blank" +
                                      (dots ? "" : ", dot") +
                                      " or wildcard, because it becomes a part of subjects"};
}

}  // namespace

Result<NatsSettings> ReadSettings(const Endpoints& endpoints, const Config& config) {
  NatsSettings settings;
  Result<TlsSettings> tls = ReadTlsSettings(endpoints, config);
  if (!tls.ok()) return tls.status();
  settings.tls = std::move(tls.value());
  settings.tls_first = config.GetBool("tls-first");
  if (settings.tls_first && !settings.tls.enabled) {
    return Status(Code::kInvalidArgument, "tls-first=1 needs TLS (set enable-tls=1)");
  }
  if (endpoints.hosts.empty()) {
    return Status(Code::kInvalidArgument,
                  "no server is named (conn-str is \"host;port\", for example \"localhost;4222\", "
                  "or set hostname and port in the config file)");
  }
  settings.hosts = endpoints.hosts;
  if (Status status = ReadIdentity(endpoints, config, &settings); !status.ok()) return status;
  for (const char* option : {"stream", "domain", "durable", "queue-group"}) {
    if (Status status = CheckToken(config, option, false); !status.ok()) return status;
  }
  if (Status status = CheckToken(config, "inbox-prefix", true); !status.ok()) return status;
  settings.connect_timeout = config.GetMillis("connect-timeout");
  settings.silence_limit = std::max(settings.connect_timeout, Millis(5000));
  settings.inbox_prefix = config.GetString("inbox-prefix");
  if (settings.inbox_prefix.empty()) settings.inbox_prefix = "_INBOX";
  settings.jetstream = config.GetBool("jetstream");
  settings.stream = config.GetString("stream");
  const std::string domain = config.GetString("domain");
  settings.api = domain.empty() ? "$JS.API." : "$JS." + domain + ".API.";
  settings.pipeline = static_cast<size_t>(config.GetInt("pipeline"));
  settings.ack_timeout = config.GetMillis("ack-timeout");
  settings.durable = config.GetString("durable");
  settings.deliver_all = config.GetString("deliver") == "all";
  settings.ack_wait = config.GetMillis("ack-wait");
  settings.batch_read = static_cast<size_t>(config.GetInt("batch-read"));
  settings.queue_group = config.GetString("queue-group");
  return settings;
}

}  // namespace dsmsg::nats
