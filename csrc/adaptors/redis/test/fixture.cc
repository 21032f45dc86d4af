// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/test/fixture.h"

#include <hiredis.h>

#include <stdexcept>

namespace dsmsg::redis {
namespace {

bool Answers(uint16_t port) {
  redisContext* context = redisConnect("127.0.0.1", port);
  if (context == nullptr || context->err != 0) {
    if (context != nullptr) redisFree(context);
    return false;
  }
  void* reply = redisCommand(context, "PING");
  const bool answers = reply != nullptr;
  if (reply != nullptr) freeReplyObject(reply);
  redisFree(context);
  return answers;
}

}  // namespace

RedisServer::RedisServer(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
  // Another process may take the port between the check and the start.
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = testing::FreePort();
    if (Spawn()) return;
  }
  throw std::runtime_error("redis-server does not start (apt install redis-server)");
}

bool RedisServer::Spawn() {
  std::vector<std::string> words = {
      "redis-server", "--port",    std::to_string(port_), "--bind", "127.0.0.1",
      "--save",       "",          "--appendonly",        "no",     "--dir",
      folder_.path(), "--logfile", "server.log"};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  return process_.Start(std::move(words), [this] { return Answers(port_); });
}

void RedisServer::Restart() {
  Kill();
  if (!Spawn()) throw std::runtime_error("redis-server does not start again");
}

Client::Client(uint16_t port) : context_(redisConnect("127.0.0.1", port)) {
  if (context_ == nullptr || context_->err != 0) throw std::runtime_error("client cannot connect");
}

Client::~Client() { redisFree(context_); }

Client::Reply Client::Run(const std::vector<std::string>& arguments) {
  std::vector<const char*> words;
  std::vector<size_t> lengths;
  for (const std::string& argument : arguments) {
    words.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  auto* reply = static_cast<redisReply*>(
      redisCommandArgv(context_, static_cast<int>(words.size()), words.data(), lengths.data()));
  if (reply == nullptr) throw std::runtime_error(context_->errstr);
  return Reply(reply, freeReplyObject);
}

int64_t Client::Integer(const std::vector<std::string>& arguments) {
  return Run(arguments)->integer;
}

std::string Client::Text(const std::vector<std::string>& arguments) {
  Reply reply = Run(arguments);
  return reply->str == nullptr ? "" : std::string(reply->str, reply->len);
}

std::vector<Entry> Entries(Client& client, const std::string& stream) {
  Client::Reply reply = client.Run({"XRANGE", stream, "-", "+"});
  std::vector<Entry> entries;
  for (size_t i = 0; i < reply->elements; ++i) {
    const redisReply* fields = reply->element[i]->element[1];
    Entry entry;
    for (size_t f = 0; f + 1 < fields->elements; f += 2) {
      entry.emplace_back(std::string(fields->element[f]->str, fields->element[f]->len),
                         std::string(fields->element[f + 1]->str, fields->element[f + 1]->len));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string AddressOf(const RedisServer& server) {
  return "127.0.0.1;" + std::to_string(server.port());
}

}  // namespace dsmsg::redis
