// SPDX-License-Identifier: Apache-2.0
// HTTP. The "broker" is a web server of ours (python/dsmsg/brokers/_http_store.py), which keeps
// each request in a file before it answers. It posts what it has, and what comes, to the endpoints
// of subscribers, because HTTP has nothing between two programs. A thousand messages take a second:
// shards: 3
// not sanitized: Host*
#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <sstream>
#include <stdexcept>

#include "quirks.h"

namespace dsmsg::conformance {
namespace {

size_t Append(char* data, size_t size, size_t count, void* out) {
  static_cast<std::string*>(out)->append(data, size * count);
  return size * count;
}

/// Gives the store an order; returns its answer.
std::string Order(uint16_t port, const std::string& name, const std::string& json) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/.store/" + name;
  std::string answer;
  curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(easy.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, json.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer);
  const CURLcode code = curl_easy_perform(easy.get());
  if (code != CURLE_OK) throw std::runtime_error("http: " + url + ": " + curl_easy_strerror(code));
  return answer;
}

std::string FromHex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(fd, reinterpret_cast<const sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

class HttpQuirks : public Quirks {
 public:
  std::string protocol() const override { return "HTTP"; }
  std::string library() const override { return "libnvds_http_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {{"Section4_UnknownTopic",
             "the store takes every path; tests/python/test_http.py has a server that answers 404"},
            {"Rule19_Refused", "an endpoint of our own refuses no subscription"},
            {"Rule19_TimedOut", "there is nobody who would have to answer a subscription"},
            {"Section5_SensorIdExtraction", "a request is its payload: there are no fields"}};
  }

  std::string server_kind() const override { return "http"; }
  std::string server_args() const override { return "{}"; }
  void CreateTopic(Server& server, const std::string&, int) override {
    port_ = server.port();  // of the server that the test is about to use
  }
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    std::istringstream lines(Order(server.port(), "messages", R"({"topic":")" + topic + "\"}"));
    std::string line;
    std::getline(lines, line);
    const size_t held = std::stoul(line);
    std::vector<Received> found;
    while (std::getline(lines, line)) {
      Received message;
      message.payload = FromHex(line);
      found.push_back(message);
    }
    if (held != found.size()) {
      throw std::runtime_error("http: the store counts " + std::to_string(held) + " messages of " +
                               topic + ", " + std::to_string(found.size()) + " came");
    }
    return found;
  }

  Lines BaseConfig(const Lines&) const override { return {"probe=/", "probe-interval=500ms"}; }
  Lines LowLatencyConfig() const override { return {"linger=0"}; }
  Lines ConsumerConfig(const std::string&) const override {
    const std::string port = std::to_string(FreePort());
    Order(port_, "subscribe", R"({"port":)" + port + "}");
    return {"listen=" + port};
  }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    return {{"Url", "http://" + server.address(), {}},
            {"UrlWithSlash", "http://" + server.address() + "/", {}}};
  }
  bool refuses_topics() const override { return false; }
  std::string ForbiddenTopic(Server&, const std::string&) override { return {}; }
  EqualSettings SignatureForms() const override {
    return {"http.example;8080", "http://http.example:8080", "http.example;8081"};
  }

  bool duplicates_possible() const override { return true; }
  size_t host_messages() const override { return 5'000; }
  bool has_keys() const override { return false; }
  std::string received_fields() const override { return "headers id"; }
  size_t largest_payload() const override { return 1 << 19; }

  std::vector<Refusal> RefusedForGood() const override {
    return {Answers("BadRequest", 400), Answers("Conflict", 409)};
  }
  std::vector<Refusal> RefusedForATime() const override {
    return {Answers("TooManyRequests", 429), Answers("ServiceUnavailable", 503)};
  }

  bool has_auth() const override { return true; }
  void RequirePassword(Server& server, const std::string& password) override {
    Order(server.port(), "password", R"({"password":")" + password + "\"}");
  }
  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    return {{"Url", "http://someone:" + secret + "@" + server.address(), {}, {}},
            {"Config", plain, {"username=someone", "password=\"" + secret + "\""}, {}},
            {"Environment", plain, {}, {{"USER_HTTP", "someone"}, {"PASSWORD_HTTP", secret}}},
            {"Bearer", plain, {"bearer-token=" + secret}, {}},
            {"ListenHeaders", plain, {"listen=1", "listen-headers=X-Token=" + secret}, {}},
            {"BadPort", "http://:" + secret + "@127.0.0.1:notaport", {}, {}},
            {"BadForm", "http://:" + secret + "@", {}, {}}};
  }

 private:
  static Refusal Answers(const std::string& name, int status) {
    const auto answer = [](int with) {
      return [with](Server& server, const std::string& topic) {
        Order(server.port(), "refuse",
              R"({"topic":")" + topic + R"(","status":)" + std::to_string(with) + "}");
      };
    };
    return {name, answer(status), answer(0)};
  }
  uint16_t port_ = 0;
};

DSMSG_QUIRKS(HttpQuirks);

}  // namespace
}  // namespace dsmsg::conformance
