// SPDX-License-Identifier: Apache-2.0
// Redis Streams. Read back with hiredis, one blocking command after the other.
#include <hiredis/hiredis.h>
#include <signal.h>

#include <memory>
#include <stdexcept>

#include "quirks.h"

namespace dsmsg::conformance {
namespace {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

/// One connection. hiredis writes without MSG_NOSIGNAL, and SIGPIPE must stay at its default in
/// this process: only use it while the server is up.
class Client {
 public:
  explicit Client(Server& server) {
    const timeval timeout{60, 0};
    context_ = redisConnectWithTimeout(server.host().c_str(), server.port(), timeout);
    if (context_ == nullptr || context_->err != 0)
      throw std::runtime_error("redis: cannot connect");
    redisSetTimeout(context_, timeout);
    for (const std::string& password : Passwords()) {
      Reply(static_cast<redisReply*>(redisCommand(context_, "AUTH %s", password.c_str())));
    }
  }
  ~Client() { redisFree(context_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// A null reply or an error reply is thrown.
  template <class... Arguments>
  Reply Run(const Arguments&... arguments) {
    const char* words[] = {arguments.c_str()...};
    const size_t lengths[] = {arguments.size()...};
    Reply reply(static_cast<redisReply*>(
        redisCommandArgv(context_, static_cast<int>(sizeof...(arguments)), words, lengths)));
    if (!reply) throw std::runtime_error(std::string("redis: ") + context_->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
      throw std::runtime_error(std::string("redis: ") + reply->str);
    return reply;
  }

  /// Passwords that the server may want, newest last.
  static std::vector<std::string>& Passwords() {
    static std::vector<std::string> passwords;
    return passwords;
  }

 private:
  redisContext* context_ = nullptr;
};

using S = std::string;

void Set(Server& server, const std::string& name, const std::string& value) {
  Client(server).Run(S("CONFIG"), S("SET"), name, value);
}

Received ReadEntry(const redisReply* entry) {
  Received message;
  const redisReply* fields = entry->element[1];
  for (size_t i = 0; i + 1 < fields->elements; i += 2) {
    const std::string name(fields->element[i]->str, fields->element[i]->len);
    const std::string value(fields->element[i + 1]->str, fields->element[i + 1]->len);
    if (name == "metadata" || name == "value") message.payload = value;
    if (name == "key") {
      message.key = value;
      message.has_key = true;
    }
  }
  return message;
}

class RedisQuirks : public Quirks {
 public:
  std::string protocol() const override { return "REDIS"; }
  std::string library() const override { return "libnvds_redis_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {{"Section4_UnknownTopic", "XADD makes the stream: there is no unknown topic"}};
  }

  std::string server_kind() const override { return "redis"; }
  std::string server_args() const override {
    return R"({"config":["appendonly yes","appendfsync always"]})";
  }
  void CreateTopic(Server&, const std::string&, int) override {}

  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    Client client(server);
    std::vector<Received> found;
    std::string from = "-";
    for (;;) {  // in pages: the server would build one large reply in its memory
      const Reply page = client.Run(S("XRANGE"), topic, from, S("+"), S("COUNT"), S("5000"));
      if (page->elements == 0) break;
      for (size_t i = 0; i < page->elements; ++i) found.push_back(ReadEntry(page->element[i]));
      const redisReply* id = page->element[page->elements - 1]->element[0];
      from = "(" + std::string(id->str, id->len);
    }
    const long long held = client.Run(S("XLEN"), topic)->integer;
    if (held != static_cast<long long>(found.size())) {
      throw std::runtime_error("redis: read " + std::to_string(found.size()) + " entries of " +
                               topic + ", XLEN says " + std::to_string(held));
    }
    return found;
  }

  // By default a stream keeps its last 10,000 entries, and a reader could not tell whether older
  // ones arrived.
  Lines BaseConfig(const Lines&) const override { return {"streamsize=0"}; }
  std::string received_fields() const override { return "key headers bytes timestamp append id"; }
  bool marks_redelivered() const override { return true; }
  Lines ConsumerConfig(const std::string& unique) const override {
    return {"consumergroup=group-" + unique, "consumername=one"};
  }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    return {{"Url", "redis://" + server.address(), {}},
            {"UrlWithDatabase", "redis://" + server.address() + "/0", {}}};
  }
  Lines RestrictedConfig() const override { return {"username=limited", "password=limited"}; }
  std::string ForbiddenTopic(Server& server, const std::string& unique) override {
    Client(server).Run(S("ACL"), S("SETUSER"), S("limited"), S("on"), S(">limited"), S("~conf-*"),
                       S("~client-*"), S("+@all"));
    return "forbidden-" + unique;
  }
  EqualSettings SignatureForms() const override {
    return {"redis.example;6379", "redis://redis.example:6379", "redis.example;6380"};
  }

  bool duplicates_possible() const override { return true; }
  bool has_keys() const override { return false; }
  size_t largest_payload() const override { return 1 << 20; }

  std::vector<Refusal> RefusedForGood() const override {
    return {{"WrongType",
             [](Server& server, const std::string& topic) {
               Client(server).Run(S("SET"), topic, S("a string, not a stream"));
             },
             [](Server& server, const std::string& topic) { Client(server).Run(S("DEL"), topic); }},
            {"NoPermission",
             [](Server& server, const std::string&) {
               Client(server).Run(S("ACL"), S("SETUSER"), S("default"), S("-xadd"));
             },
             [](Server& server, const std::string&) {
               Client(server).Run(S("ACL"), S("SETUSER"), S("default"), S("+xadd"));
             }}};
  }
  std::vector<Refusal> RefusedForATime() const override {
    const auto switched = [](const char* name, const char* on, const char* off) {
      return std::pair([=](Server& server, const std::string&) { Set(server, name, on); },
                       [=](Server& server, const std::string&) { Set(server, name, off); });
    };
    const auto [full, empty] = switched("maxmemory", "1", "0");
    const auto [lonely, free] = switched("min-replicas-to-write", "1", "0");
    return {{"OutOfMemory", full, empty}, {"NoReplicas", lonely, free}};
  }

  bool has_auth() const override { return true; }
  void RequirePassword(Server& server, const std::string& password) override {
    Client client(server);
    client.Run(S("CONFIG"), S("SET"), S("requirepass"), password);
    // Connections that are open stay logged in: end them all, but not this one.
    client.Run(S("CLIENT"), S("KILL"), S("TYPE"), S("normal"), S("SKIPME"), S("yes"));
    Client::Passwords().assign(1, password);
    if (password.empty()) Client::Passwords().clear();
  }
  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    return {{"Url", "redis://someone:" + secret + "@" + server.address(), {}, {}},
            {"UrlPasswordOnly", "redis://:" + secret + "@" + server.address(), {}, {}},
            {"Config", plain, {"password=" + secret}, {}},
            {"ConfigWithUser", plain, {"username=someone", "password=\"" + secret + "\""}, {}},
            {"Environment", plain, {}, {{"PASSWORD_REDIS", secret}}},
            {"FileReadsEnvironment",
             plain,
             {"password=${env:CONFORMANCE_SECRET}"},
             {{"CONFORMANCE_SECRET", secret}}},
            {"BadPort", "redis://:" + secret + "@127.0.0.1:notaport", {}, {}},
            {"BadForm", "redis://:" + secret + "@", {}, {}}};
  }
  bool has_sensor_extraction() const override { return true; }

 protected:
  void Forget(const Server&) override { Client::Passwords().clear(); }
};

DSMSG_QUIRKS(RedisQuirks);

}  // namespace
}  // namespace dsmsg::conformance
