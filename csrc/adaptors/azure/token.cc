// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/token.h"

#include <charconv>

#include "core/base/digest.h"
#include "core/base/encoding.h"
#include "core/net/dial.h"
#include "core/options/field_path.h"

namespace dsmsg::azure {
namespace {

constexpr size_t kMostBytes = size_t{1} << 20;

Status Failed(const Identity& identity, const std::string& why, Code code = Code::kUnavailable) {
  return {code, "the IoT Edge workload API at " + identity.workload + ": " + why};
}

/// The text `member` of the JSON object that the runtime answers.
Result<std::string> Ask(const Identity& identity, const std::string& method,
                        const std::string& path, const std::string& body, const char* member,
                        Deadline deadline, int cancel_fd) {
  // HTTP/1.0: the answer ends with the connection, and is not in chunks.
  const std::string request = method + " " + path +
                              "?api-version=2019-01-30 HTTP/1.0\r\nHost: localhost\r\n"
                              "Content-Type: application/json\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  const Result<std::string> answer =
      AskUnix(identity.workload, request, kMostBytes, deadline, cancel_fd);
  if (!answer.ok()) {
    return Failed(identity,
                  answer.status().message() +
                      " (is the IoT Edge runtime running, and its socket "
                      "mounted into this container?)",
                  answer.status().code());
  }
  const std::string& text = answer.value();
  const size_t head = text.find("\r\n\r\n");
  if (head == text.npos || !text.starts_with("HTTP/1.")) {
    return Failed(identity, "the answer to " + path + " is not complete HTTP");
  }
  if (text.substr(8, 5) != " 200 ") {
    return Failed(identity, path + " answered \"" + text.substr(0, text.find('\r')) + "\"");
  }
  FieldReader reader;
  std::string value;
  if (!reader.Add(member).ok() || !reader.ExtractFirst(text.substr(head + 4), &value)) {
    return Failed(identity, "the answer to " + path + " has no \"" + member + "\"");
  }
  return value;
}

Result<std::string> Sign(const Identity& identity, const std::string& text, Deadline deadline,
                         int cancel_fd) {
  if (identity.workload.empty()) return ToBase64(HmacSha256(identity.key, text));
  const std::string path = "/modules/" + PercentEncoded(identity.module) + "/genid/" +
                           PercentEncoded(identity.generation) + "/sign";
  const std::string body =
      R"({"keyId": "primary", "algo": "HMACSHA256", "data": ")" + ToBase64(text) + "\"}";
  return Ask(identity, "POST", path, body, "digest", deadline, cancel_fd);
}

}  // namespace

Result<std::string> MakeToken(const Identity& identity, int64_t expires, Deadline deadline,
                              int cancel_fd) {
  const std::string resource = PercentEncoded(identity.hub + "/" + identity.path());
  const std::string end = std::to_string(expires);
  const Result<std::string> signature = Sign(identity, resource + "\n" + end, deadline, cancel_fd);
  if (!signature.ok()) return signature.status();
  return "SharedAccessSignature sr=" + resource + "&sig=" + PercentEncoded(signature.value()) +
         "&se=" + end;
}

std::optional<int64_t> ExpiryOf(std::string_view token) {
  constexpr std::string_view kName = "se=";
  for (size_t at = token.find(kName); at != token.npos; at = token.find(kName, at + 1)) {
    if (at == 0 || (token[at - 1] != '&' && token[at - 1] != ' ')) continue;
    int64_t value = 0;
    const char* const end = token.data() + token.size();
    const auto [rest, error] = std::from_chars(token.data() + at + kName.size(), end, value);
    if (error == std::errc() && (rest == end || *rest == '&')) return value;
  }
  return std::nullopt;
}

Result<std::string> TrustBundle(const Identity& identity, Deadline deadline, int cancel_fd) {
  return Ask(identity, "GET", "/trust-bundle", "", "certificate", deadline, cancel_fd);
}

}  // namespace dsmsg::azure
