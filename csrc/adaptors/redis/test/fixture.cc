// SPDX-License-Identifier: Apache-2.0
#include "adaptors/redis/test/fixture.h"
#include "core/base/fd.h"
#include "core/base/time.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

namespace dsmsg::redis {
namespace {

uint16_t FreePort() {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  return ntohs(address.sin_port);
}

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
  folder_ = std::filesystem::temp_directory_path() / "dsmsg-redis-XXXXXX";
  if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  // Somebody else may take the port between the look and the start.
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = FreePort();
    if (Spawn()) return;
  }
  throw std::runtime_error("redis-server does not start (apt install redis-server)");
}

RedisServer::~RedisServer() {
  Kill();
  std::filesystem::remove_all(folder_);
}

bool RedisServer::Spawn() {
  std::vector<std::string> words = {
      "redis-server", "--port",    std::to_string(port_), "--bind", "127.0.0.1",
      "--save",       "",          "--appendonly",        "no",     "--dir",
      folder_,        "--logfile", "server.log"};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves no server behind
    execvp(argv[0], argv.data());
    _exit(127);
  }
  const Deadline deadline = Clock::now() + Millis(20000);
  while (Clock::now() < deadline) {
    if (Answers(port_)) return true;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    std::this_thread::sleep_for(Millis(10));  // between two looks
  }
  Kill();
  return false;
}

void RedisServer::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisServer::Restart() {
  Kill();
  if (!Spawn()) throw std::runtime_error("redis-server does not start again");
}

void RedisServer::Freeze() { kill(pid_, SIGSTOP); }
void RedisServer::Thaw() { kill(pid_, SIGCONT); }

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

void FakeHost::Complete(Token token, const Status& status) noexcept {
  if (!completed.emplace(token, status).second) ++twice;
  if (status.ok()) ++ok;
}

Status FakeHost::Deliver(InMessage&& message, AckToken token) noexcept {
  if (delivered.size() >= room) return {Code::kWouldBlock, "full"};
  delivered.push_back(std::move(message));
  tokens.push_back(token);
  return {};
}

Connection::Connection(const std::string& server, const std::string& config) {
  const DriverInfo& info = RedisDriver::Info();
  Result<Endpoints> endpoints = ParseConnString(server, info.conn_rules);
  Result<Config> parsed =
      Config::Parse("[message-broker]\n" + config, "test", OptionTable(info.options));
  if (!endpoints.ok()) {
    configured = endpoints.status();
  } else if (!parsed.ok()) {
    configured = parsed.status();
  } else {
    parsed->ApplyEnvironment(info.env_suffix);
    configured = driver.Configure(endpoints.value(), parsed.value());
  }
}

Status Connection::Open(Role role, Millis timeout) {
  if (!configured.ok()) return configured;
  return driver.Open(role, Clock::now() + timeout, cancel.fd());
}

Status Connection::PumpUntil(const std::function<bool()>& done, Millis timeout) {
  const Deadline deadline = Clock::now() + timeout;
  while (!done()) {
    if (Clock::now() >= deadline) return {Code::kTimeout, "the test waited too long"};
    if (Status status = driver.Poll(Millis(100), wake.fd()); !status.ok()) return status;
  }
  return {};
}

Status Connection::Send(const std::string& topic, std::string payload) {
  kept.push_back(std::make_unique<std::string>(topic));
  kept.push_back(std::make_unique<std::string>(std::move(payload)));
  Message message;
  message.topic = *kept[kept.size() - 2];
  message.payload = *kept.back();
  return Send(message);
}

Status Connection::Send(const Message& message) {
  ++last_token;
  const Deadline deadline = Clock::now() + Millis(10000);
  while (true) {
    Status status = driver.Submit(message, last_token);
    if (status.code() != Code::kWouldBlock) return status;
    if (Clock::now() >= deadline) return {Code::kTimeout, "no room for too long"};
    if (Status poll = driver.Poll(Millis(100), wake.fd()); !poll.ok()) return poll;
  }
}

Status Connection::WaitCompleted(size_t count) {
  return PumpUntil([&] { return host.completed.size() >= count; });
}

void Connection::AckAll() {
  for (const AckToken token : host.tokens) driver.Ack(token);
  host.tokens.clear();
}

std::string AddressOf(const RedisServer& server) {
  return "127.0.0.1;" + std::to_string(server.port());
}

}  // namespace dsmsg::redis
