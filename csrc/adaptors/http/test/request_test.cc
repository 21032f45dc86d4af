// SPDX-License-Identifier: Apache-2.0
// What an answer is taken for: one request at a time against a server that says what it is told.
#include "adaptors/http/request.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <string>
#include <thread>

#include "adaptors/http/driver.h"
#include "core/base/fd.h"

namespace dsmsg::http {
namespace {

using testing::HasSubstr;

/// Reads one request and gives one answer, then ends the connection.
class Answering {
 public:
  explicit Answering(std::string answer)
      : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size);
    listen(listener_.get(), 1);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Answering() { thread_.join(); }
  uint16_t port() const { return port_; }

 private:
  void Serve() const {
    const UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string request;
    char bytes[4096];
    while (request.find("{}") == std::string::npos) {
      const ssize_t n = read(client.get(), bytes, sizeof bytes);
      if (n <= 0) return;
      request.append(bytes, static_cast<size_t>(n));
    }
    (void)send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
  }

  const std::string answer_;
  const UniqueFd listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

Verdict VerdictOf(const std::string& answer) {
  const Answering server(answer);
  const std::string address = "127.0.0.1;" + std::to_string(server.port());
  const DriverInfo& info = HttpDriver::Info();
  const Result<Endpoints> endpoints = ParseConnString(address, info.conn_rules);
  const Result<Config> config =
      Config::Parse("[message-broker]\n", "test", OptionTable(info.options));
  const Result<HttpSettings> settings = ReadSettings(endpoints.value(), config.value());
  Site site{settings.value(), settings->hosts[0], "127.0.0.1", {}};
  Request request(site);
  std::vector<Item> items(1);
  items[0].message.topic = "t";
  items[0].message.payload = "{}";
  items[0].target = "/t";
  request.Send(std::move(items));
  const CURLcode code = curl_easy_perform(request.easy());
  return request.Judge(code);
}

std::string Status503(const std::string& retry_after) {
  return "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: " + retry_after + "\r\n\r\n";
}

std::string HttpDate(time_t time) {
  tm utc = {};
  gmtime_r(&time, &utc);
  char text[64];
  strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return text;
}

TEST(HttpRequest, RetryAfterInBothFormsWithinBounds) {
  using std::chrono::seconds;
  EXPECT_EQ(VerdictOf(Status503("7")).pause, seconds(7));
  for (const char* none : {"-5", "nonsense", "0", ""})
    EXPECT_EQ(VerdictOf(Status503(none)).pause, seconds(0)) << none;
  for (const char* huge : {"301", "99999999999999999999", "4294967297"})
    EXPECT_LE(VerdictOf(Status503(huge)).pause, seconds(300)) << huge;
  EXPECT_EQ(VerdictOf(Status503("301")).pause, seconds(300));
  EXPECT_EQ(VerdictOf(Status503(HttpDate(time(nullptr) - 1000))).pause, seconds(0));
  EXPECT_EQ(VerdictOf(Status503(HttpDate(time(nullptr) + 4000))).pause, seconds(300));
  const Millis later = VerdictOf(Status503(HttpDate(time(nullptr) + 200))).pause;
  EXPECT_GT(later, seconds(0));
  EXPECT_LE(later, seconds(200));
}

TEST(HttpRequest, RedirectionsAreNotFollowed) {
  for (const char* status :
       {"301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"}) {
    const Verdict verdict =
        VerdictOf(std::string("HTTP/1.1 ") + status + "\r\nLocation: http://127.0.0.1:9/\r\n\r\n");
    EXPECT_EQ(verdict.status.code(), Code::kRejected) << status;
    EXPECT_THAT(verdict.status.message(), HasSubstr("name the new address"));
  }
}

TEST(HttpRequest, AnInterimAnswerIsNone) {
  EXPECT_TRUE(
      VerdictOf("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").status.ok());
  const Verdict only = VerdictOf("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(only.status.retryable());
  EXPECT_EQ(only.about, Verdict::About::kEither);
}

TEST(HttpRequest, WhatIsNotHttpIsTheLinksFault) {
  for (const char* answer :
       {"SSH-2.0-OpenSSH_9\r\n", "\x15\x03\x01\x00\x02\x02\x16", "* OK IMAP4\r\n"}) {
    const Verdict verdict = VerdictOf(answer);
    EXPECT_FALSE(verdict.status.ok()) << answer;
    EXPECT_NE(verdict.about, Verdict::About::kMessages) << answer;
  }
}

}  // namespace
}  // namespace dsmsg::http
