// SPDX-License-Identifier: Apache-2.0
#include "core/net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/base/limits.h"

namespace dsmsg {
namespace {

constexpr const char* kTlsOptions[] = {"tls-cafile",  "tls-capath",      "tls-certfile",
                                       "tls-keyfile", "tls-server-name", "tls-key-password"};

Status Bad(const std::string& option, const std::string& path, const std::string& why) {
  return {Code::kInvalidArgument, option + "=" + path + ": " + why};
}

/// A file that OpenSSL did not load: because it is not `what`, or because the process has reached a
/// limit, which may be over at the next attempt.
Status NotLoaded(const std::string& option, const std::string& path, const std::string& what) {
  const unsigned long first = ERR_peek_error();
  const int error = ERR_GET_LIB(first) == ERR_LIB_SYS ? ERR_GET_REASON(first) : 0;
  const std::string reason = TakeTlsError();
  if (LimitAdvice(error).empty()) return Bad(option, path, what + " (" + reason + ")");
  return {Code::kUnavailable, option + "=" + path +
                                  ": cannot be read: " + std::generic_category().message(error) +
                                  std::string(LimitAdvice(error))};
}

Status CheckReadable(const char* option, const std::string& path, bool folder) {
  if (path.empty()) return {};
  struct stat info {};
  const bool there = stat(path.c_str(), &info) == 0;
  if (there && S_ISDIR(info.st_mode) != folder) {
    return Bad(option, path,
               folder ? "is not a directory (for a file, set tls-cafile)"
                      : "is a directory (a file is expected)");
  }
  // A directory is also searched by name.
  if (there && access(path.c_str(), folder ? R_OK | X_OK : R_OK) == 0) return {};
  return Bad(option, path,
             "cannot be read: " + std::generic_category().message(errno) +
                 " (is the path right, and may this user read it?)");
}

struct PasswordRequest {
  const std::string& password;
  bool made = false;  // the key is encrypted
};

// OpenSSL calls this for an encrypted key; without it, OpenSSL would ask on the terminal.
int GivePassword(char* buffer, int size, int /*writing*/, void* user) {
  auto* request = static_cast<PasswordRequest*>(user);
  if (request == nullptr) return 0;
  request->made = true;
  const std::string& password = request->password;
  if (password.size() > static_cast<size_t>(size)) return 0;
  std::copy(password.begin(), password.end(), buffer);
  return static_cast<int>(password.size());
}

int VerdictIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int OnVerify(int ok, X509_STORE_CTX* store) {
  if (ok == 1) return 1;
  const int ssl_index = SSL_get_ex_data_X509_STORE_CTX_idx();
  const auto* ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, ssl_index));
  if (ssl == nullptr) return 0;
  auto* verdict =
      static_cast<TlsVerdict*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), VerdictIndex()));
  if (verdict != nullptr) verdict->Set(X509_STORE_CTX_get_error(store));
  return 0;
}

Status LoadTrust(const TlsSettings& settings, SSL_CTX* context) {
  if (settings.cafile.empty() && settings.capath.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  const char* file = settings.cafile.empty() ? nullptr : settings.cafile.c_str();
  const char* folder = settings.capath.empty() ? nullptr : settings.capath.c_str();
  if (SSL_CTX_load_verify_locations(context, file, folder) == 1) return {};
  const char* option = file != nullptr ? "tls-cafile" : "tls-capath";
  return NotLoaded(option, file != nullptr ? settings.cafile : settings.capath,
                   "contains no certificate in PEM form");
}

Status KeyError(const TlsSettings& settings, const PasswordRequest& asked) {
  if (!asked.made) {
    return NotLoaded("tls-keyfile", settings.keyfile, "is not a private key in PEM form");
  }
  const std::string reason = TakeTlsError();
  if (settings.key_password.empty()) {
    return Bad("tls-keyfile", settings.keyfile, "is encrypted (set tls-key-password)");
  }
  return {Code::kInvalidArgument,
          "tls-key-password does not open tls-keyfile=" + settings.keyfile + " (" + reason + ")"};
}

Status LoadIdentity(const TlsSettings& settings, SSL_CTX* context) {
  if (settings.certfile.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context, settings.certfile.c_str()) != 1) {
    return NotLoaded("tls-certfile", settings.certfile, "contains no certificate in PEM form");
  }
  PasswordRequest asked{settings.key_password};
  SSL_CTX_set_default_passwd_cb(context, GivePassword);
  SSL_CTX_set_default_passwd_cb_userdata(context, &asked);
  // Also checks the key against the certificate if both are of the same type.
  const int loaded =
      SSL_CTX_use_PrivateKey_file(context, settings.keyfile.c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  const bool mismatch = loaded != 1 && ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
  if (loaded != 1 && !mismatch) return KeyError(settings, asked);
  if (mismatch || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return Bad("tls-keyfile", settings.keyfile,
               "does not belong to the certificate tls-certfile=" + settings.certfile);
  }
  return {};
}

bool IsAddress(const std::string& host) {
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), buffer) == 1 ||
         inet_pton(AF_INET6, host.c_str(), buffer) == 1;
}

Status BadName(const std::string& name) {
  return {Code::kInvalidArgument, "tls-server-name: \"" + name + "\" is not a host name"};
}

Status ExpectName(const TlsSettings& settings, const std::string& host, SSL_CTX* context) {
  const std::string name = settings.ExpectedName(host);
  const auto is_blank = [](unsigned char c) { return c <= ' '; };
  if (std::any_of(name.begin(), name.end(), is_blank)) return BadName(name);
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int set = IsAddress(name)
                      ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str())
                      : X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), name.size());
  return set == 1 ? Status() : BadName(name);
}

// How OpenSSL describes an alert from the server, such as "tlsv13 alert certificate required",
// "sslv3 alert bad certificate", "tlsv1 alert unknown ca", "tlsv1 unrecognized name".
Status AlertError(const std::string& peer, const std::string& text) {
  const auto has = [&text](const char* part) { return text.find(part) != text.npos; };
  if (has("certificate") || has("unknown ca")) {
    return {Code::kAuth, "TLS: " + peer + " refuses our certificate: " + text +
                             Hint(Situation::kTlsOurCertificate)};
  }
  const std::string start = "TLS: " + peer + " refuses the handshake: " + text;
  // Before TLS 1.3, a broker also uses this to say that it did not get a certificate.
  if (has("handshake failure")) {
    return {Code::kAuth, start + Hint(Situation::kTlsNothingCommon)};
  }
  return {Code::kUnavailable, start + Hint(has("protocol version")    ? Situation::kTlsVersion
                                           : has("unrecognized name") ? Situation::kTlsServerName
                                                                      : Situation::kTlsOtherAlert)};
}

// The situation as far as the text of OpenSSL, the system or a client library reveals it.
Situation HandshakeSituation(const std::string& text) {
  for (const char* part : {"wrong version number", "packet length too long", "http request"}) {
    if (text.find(part) != text.npos) return Situation::kTlsNotSpoken;
  }
  if (text.find("unsupported protocol") != text.npos) return Situation::kTlsVersion;
  return Situation::kTlsClosed;
}

}  // namespace

std::string WithoutFinalDot(std::string host) {
  if (host.size() > 1 && host.back() == '.') host.pop_back();
  return host;
}

std::string TakeTlsError() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "unknown error";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

void FreeSslContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<TlsSettings> ReadTlsSettings(const Endpoints& endpoints, const Config& config) {
  TlsSettings settings;
  settings.enabled = endpoints.tls || config.GetBool("enable-tls");
  const bool switched_off = config.IsSet("enable-tls") && !config.GetBool("enable-tls");
  if (endpoints.tls && switched_off) {
    return Status(Code::kInvalidArgument,
                  "the connection string asks for TLS, but enable-tls=0 forbids it (remove one)");
  }
  if (switched_off) return settings;  // the parser has warned of the other options
  if (!settings.enabled) {
    for (const char* option : kTlsOptions) {
      if (config.IsSet(option) && !config.GetString(option).empty()) {
        return Status(Code::kInvalidArgument,
                      std::string(option) +
                          " is set but TLS is off, so messages would be sent in clear text (set "
                          "enable-tls=1, or remove the tls- options; enable-tls=0 ignores them)");
      }
    }
    return settings;
  }
  settings.verify = config.GetBool("tls-verify");
  settings.cafile = config.GetString("tls-cafile");
  settings.capath = config.GetString("tls-capath");
  settings.certfile = config.GetString("tls-certfile");
  settings.keyfile = config.GetString("tls-keyfile");
  settings.key_password = config.GetString("tls-key-password");
  settings.server_name = WithoutFinalDot(config.GetString("tls-server-name"));
  if (settings.certfile.empty() != settings.keyfile.empty()) {
    const bool no_key = settings.keyfile.empty();
    return Status(Code::kInvalidArgument,
                  std::string(no_key ? "tls-certfile is set without tls-keyfile"
                                     : "tls-keyfile is set without tls-certfile") +
                      " (a client certificate needs both)");
  }
  for (const Status& status : {CheckReadable("tls-cafile", settings.cafile, false),
                               CheckReadable("tls-capath", settings.capath, true),
                               CheckReadable("tls-certfile", settings.certfile, false),
                               CheckReadable("tls-keyfile", settings.keyfile, false)}) {
    if (!status.ok()) return status;
  }
  // A rehearsal, so that errors in the files show now and not at the first handshake.
  const std::string host = endpoints.hosts.empty() ? "localhost" : endpoints.hosts.front().host;
  const Result<SslContext> context = MakeTlsContext(settings, host, nullptr);
  if (!context.ok()) return context.status();
  return settings;
}

Status ConfigureTls(const TlsSettings& settings, const std::string& host, ssl_ctx_st* context,
                    TlsVerdict* verdict) {
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (Status status = LoadTrust(settings, context); !status.ok()) return status;
  if (Status status = LoadIdentity(settings, context); !status.ok()) return status;
  SSL_CTX_set_ex_data(context, VerdictIndex(), verdict);
  if (!settings.verify) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return {};
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, OnVerify);
  return ExpectName(settings, host, context);
}

Result<SslContext> MakeTlsContext(const TlsSettings& settings, const std::string& host,
                                  TlsVerdict* verdict) {
  SslContext context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) {
    return Status(Code::kInternal, "OpenSSL cannot create a context: " + TakeTlsError());
  }
  if (Status status = ConfigureTls(settings, host, context.get(), verdict); !status.ok()) {
    return status;
  }
  return context;
}

std::string TlsVerdict::reason() const {
  return refused() ? X509_verify_cert_error_string(error_) : "";
}

Status TlsVerdict::Explain(const std::string& peer, const std::string& detail,
                           Answered answered) const {
  const std::string queued = TakeTlsError();
  if (refused()) {
    return {Code::kAuth, "TLS: the certificate of " + peer + " is refused: " + reason() +
                             CertificateHint(error_)};
  }
  const std::string& text = detail.empty() ? queued : detail;
  if (text.find("alert") != text.npos || text.find("unrecognized name") != text.npos) {
    return AlertError(peer, text);
  }
  return {Code::kUnavailable, "TLS: the handshake with " + peer + " failed: " + text +
                                  Hint(HandshakeSituation(text), {.answered = answered})};
}

}  // namespace dsmsg
