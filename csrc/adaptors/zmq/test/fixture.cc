// SPDX-License-Identifier: Apache-2.0
#include "adaptors/zmq/test/fixture.h"

#include <unistd.h>
#include <zmq.h>

#include <array>
#include <atomic>
#include <stdexcept>

namespace dsmsg::zmq {
namespace {

void Check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string(what) + ": " + zmq_strerror(errno));
}

std::string Unique() {
  static std::atomic<int> counter{0};
  return "dsmsg-zmq-" + std::to_string(getpid()) + "-" + std::to_string(++counter);
}

}  // namespace

// ---------------------------------------------------------------- Peer

Peer::Peer(int type) : context_(zmq_ctx_new()), socket_(zmq_socket(context_, type)) {
  Set(ZMQ_LINGER, 0);
}

Peer::~Peer() { Close(); }

void Peer::Close() {
  if (socket_ == nullptr) return;
  zmq_close(socket_);
  zmq_ctx_term(context_);
  socket_ = nullptr;
}

void Peer::Set(int option, int value) {
  Check(zmq_setsockopt(socket_, option, &value, sizeof value) == 0, "option");
}

void Peer::Set(int option, const std::string& value) {
  Check(zmq_setsockopt(socket_, option, value.data(), value.size()) == 0, "option");
}

std::string Peer::Bind(const std::string& address) {
  Check(zmq_bind(socket_, address.c_str()) == 0, "bind");
  std::array<char, 256> chosen{};
  size_t size = chosen.size();
  Check(zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, chosen.data(), &size) == 0, "endpoint");
  return chosen.data();
}

void Peer::Connect(const std::string& address) {
  Check(zmq_connect(socket_, address.c_str()) == 0, "connect");
}

std::optional<Frames> Peer::Receive(Millis timeout) {
  Set(ZMQ_RCVTIMEO, static_cast<int>(timeout.count()));
  Frames frames;
  for (bool more = true; more;) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    const int got = zmq_msg_recv(&message, socket_, 0);
    if (got >= 0) {
      frames.emplace_back(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
    }
    more = got >= 0 && zmq_msg_more(&message) != 0;
    zmq_msg_close(&message);
    if (got < 0) return std::nullopt;
  }
  return frames;
}

void Peer::Send(const Frames& frames) {
  for (size_t i = 0; i < frames.size(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    Check(zmq_send(socket_, frames[i].data(), frames[i].size(), more) >= 0, "send");
  }
}

// ---------------------------------------------------------------- Connection

size_t Connection::Fill(const std::string& payload) {
  size_t taken = 0;
  while (PumpUntil([&] { return Submit("t", payload).ok(); }, Millis(300)).ok()) ++taken;
  return taken;
}

// ---------------------------------------------------------------- addresses

std::string FreeTcp() { return "tcp://127.0.0.1:" + std::to_string(testing::FreePort()); }
std::string NewIpc() { return "ipc:///tmp/" + Unique() + ".ipc"; }
std::string NewInproc() { return "inproc://" + Unique(); }
std::string Binding(const std::string& address) { return "@" + address; }

std::string ConfigureError(const std::string& address, const std::string& config) {
  return Connection(address, config).configured.message();
}

}  // namespace dsmsg::zmq
