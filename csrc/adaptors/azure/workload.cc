// SPDX-License-Identifier: Apache-2.0
#include "adaptors/azure/workload.h"

#include <poll.h>
#include <rapidjson/document.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/encoding.h"
#include "core/base/fd.h"
#include "core/net/dial.h"

namespace dsmsg::azure {
namespace {

constexpr size_t kMostBytes = size_t{1} << 20;

Status Failed(const Workload& workload, const std::string& why, Code code = Code::kUnavailable) {
  return {code, "the IoT Edge workload API at " + workload.socket + ": " + why};
}

/// The body of an HTTP answer that is complete, or nothing yet. The server closes the connection.
std::string Unchunked(std::string_view body) {
  std::string out;
  while (true) {
    const size_t line = body.find("\r\n");
    if (line == body.npos) return out;
    const size_t size = std::strtoul(std::string(body.substr(0, line)).c_str(), nullptr, 16);
    if (size == 0 || size > body.size() - line - 2) return out;
    out += body.substr(line + 2, size);
    body.remove_prefix(std::min(line + 2 + size + 2, body.size()));
  }
}

/// Sends a request and reads until the service closes the connection.
Result<std::string> Exchange(const Workload& workload, const std::string& request,
                             Deadline deadline, int cancel_fd) {
  UniqueFd fd;
  if (const int error = DialUnix(workload.socket, &fd); error != 0) {
    return Failed(workload, std::string(std::strerror(error)) +
                                " (is the IoT Edge runtime running, and its socket mounted into "
                                "this container?)");
  }
  // A new socket has room for a request.
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return Failed(workload, std::strerror(errno));
  }
  std::string answer;
  char buffer[4096];
  while (answer.size() < kMostBytes) {
    const Code ready = WaitFor(fd.get(), POLLIN, deadline, cancel_fd);
    if (ready == Code::kCancelled) return Failed(workload, "cancelled", ready);
    if (ready == Code::kTimeout) return Failed(workload, "no answer in time", ready);
    const ssize_t size = read(fd.get(), buffer, sizeof buffer);
    if (size == 0) return answer;
    if (size > 0) answer.append(buffer, static_cast<size_t>(size));
    if (size < 0 && errno != EINTR && errno != EAGAIN) {
      return Failed(workload, std::strerror(errno));
    }
  }
  return Failed(workload, "the answer has more than 1 MiB");
}

/// The text `member` of the JSON object that the service answers.
Result<std::string> Ask(const Workload& workload, const std::string& method,
                        const std::string& path, const std::string& body, const char* member,
                        Deadline deadline, int cancel_fd) {
  std::string request = method + " " + path + "?api-version=" + workload.api_version +
                        " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  if (!body.empty()) {
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  const Result<std::string> answer =
      Exchange(workload, request + "\r\n" + body, deadline, cancel_fd);
  if (!answer.ok()) return answer.status();
  const std::string_view text = answer.value();
  const std::string_view head = text.substr(0, text.find("\r\n\r\n"));
  const std::string_view status = head.substr(0, head.find("\r\n"));
  if (head.size() == text.size() || !status.starts_with("HTTP/1.")) {
    return Failed(workload, "the answer to " + path + " is not complete HTTP");
  }
  if (status.substr(8, 5) != " 200 ") {
    return Failed(workload, path + " answered \"" + std::string(status.substr(0, 100)) + "\"");
  }
  const std::string_view rest = text.substr(head.size() + 4);
  const bool chunked =
      strcasestr(std::string(head).c_str(), "\r\ntransfer-encoding: chunked") != nullptr;
  rapidjson::Document json;
  const std::string content = chunked ? Unchunked(rest) : std::string(rest);
  json.Parse(content.data(), content.size());
  if (json.HasParseError() || !json.IsObject() || !json.HasMember(member) ||
      !json[member].IsString()) {
    return Failed(workload, "the answer to " + path + " has no \"" + member + "\"");
  }
  return std::string(json[member].GetString(), json[member].GetStringLength());
}

}  // namespace

Result<std::string> SignByWorkload(const Identity& identity, const std::string& text,
                                   Deadline deadline, int cancel_fd) {
  const Workload& workload = *identity.workload;
  return Ask(workload, "POST",
             "/modules/" + PercentEncoded(identity.module) + "/genid/" +
                 PercentEncoded(workload.generation) + "/sign",
             R"({"keyId": "primary", "algo": "HMACSHA256", "data": ")" + ToBase64(text) + "\"}",
             "digest", deadline, cancel_fd);
}

Result<std::string> TrustBundle(const Workload& workload, Deadline deadline, int cancel_fd) {
  return Ask(workload, "GET", "/trust-bundle", "", "certificate", deadline, cancel_fd);
}

}  // namespace dsmsg::azure
