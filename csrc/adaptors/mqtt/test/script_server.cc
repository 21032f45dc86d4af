// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/test/script_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>
#include <utility>

namespace dsmsg::mqtt {
namespace {

std::string Bytes(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

int ByteAt(const std::string& text, size_t at) { return static_cast<unsigned char>(text.at(at)); }

/// Length of the first packet in `bytes`, 0: not all of it is there.
size_t PacketLength(const std::string& bytes) {
  size_t length = 0;
  for (size_t i = 1; i < bytes.size() && i < 5; ++i) {
    length |= static_cast<size_t>(ByteAt(bytes, i) & 127) << (7 * (i - 1));
    if (ByteAt(bytes, i) < 128) return bytes.size() >= length + i + 1 ? length + i + 1 : 0;
  }
  return 0;
}

}  // namespace

ScriptServer::ScriptServer(Script script) : script_(std::move(script)) {
  listener_ = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_.get(), 16) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

ScriptServer::~ScriptServer() {
  stop_.Signal();
  thread_.join();
}

std::vector<int> ScriptServer::versions() {
  std::lock_guard lock(mutex_);
  return versions_;
}

void ScriptServer::Run() {
  for (int last = 0;;) {
    std::vector<pollfd> fds = {{stop_.fd(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    std::vector<int> numbers;
    for (const auto& [number, client] : clients_) {
      numbers.push_back(number);
      fds.push_back({client.fd.get(), POLLIN, 0});
    }
    poll(fds.data(), fds.size(), -1);
    if (fds[0].revents != 0) return;
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (fds[i + 2].revents == 0) continue;
      if (!Serve(numbers[i], &clients_[numbers[i]])) clients_.erase(numbers[i]);
    }
    if (fds[1].revents == 0) continue;
    clients_[++last].fd = UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
}

// False: the connection ends.
bool ScriptServer::Serve(int connection, Client* client) {
  char buffer[4096];
  const ssize_t got = recv(client->fd.get(), buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  client->bytes.append(buffer, static_cast<size_t>(got));
  while (const size_t length = PacketLength(client->bytes)) {
    const std::string packet = client->bytes.substr(0, length);
    client->bytes.erase(0, length);
    if (IsConnect(packet)) {
      std::lock_guard lock(mutex_);
      versions_.push_back(ByteAt(packet, 8));
    }
    const std::optional<std::string> answer = script_(connection, packet);
    if (!answer) return false;
    Say(connection, *answer);
  }
  return true;
}

void ScriptServer::Say(int connection, const std::string& bytes) const {
  const auto client = clients_.find(connection);
  if (client == clients_.end() || bytes.empty()) return;
  (void)!send(client->second.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

std::string ScriptServer::Connack5(int reason, const std::string& properties) {
  const int size = static_cast<int>(properties.size());
  return Bytes({0x20, 3 + size, 0, reason, size}) + properties;
}

std::string ScriptServer::Connack311(int code) { return Bytes({0x20, 2, 0, code}); }

std::string ScriptServer::Puback5(const std::string& publish, int reason) {
  const size_t id = 4 + static_cast<size_t>(ByteAt(publish, 2) * 256 + ByteAt(publish, 3));
  return Bytes({0x40, 3, ByteAt(publish, id), ByteAt(publish, id + 1), reason});
}

std::string ScriptServer::Publish5(const std::string& topic, int id, const std::string& payload) {
  const int size = static_cast<int>(topic.size());
  return Bytes({0x32, 5 + size + static_cast<int>(payload.size()), 0, size}) + topic +
         Bytes({id >> 8, id & 255, 0}) + payload;
}

std::string ScriptServer::Suback5(const std::string& subscribe, const std::vector<int>& reasons) {
  std::string answer = Bytes(
      {0x90, 3 + static_cast<int>(reasons.size()), ByteAt(subscribe, 2), ByteAt(subscribe, 3), 0});
  for (const int reason : reasons) answer += static_cast<char>(reason);
  return answer;
}

}  // namespace dsmsg::mqtt
