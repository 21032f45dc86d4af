// SPDX-License-Identifier: Apache-2.0
// The other side of the ZeroMQ adaptor in tests: a REP server that writes each message to a file
// before it replies, so that what it acknowledged survives SIGKILL. It publishes what it has stored
// as well, to new subscribers all of it.
//
//   dsmsg_zmq_receiver PORT FILE
//
// tcp://127.0.0.1:PORT             requests of two frames (topic, payload) or one (payload)
// ipc://@dsmsg-zmq-PORT-publish    the same messages, for SUB sockets
// ipc://@dsmsg-zmq-PORT-read       request: a topic; reply: their number, then each payload
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using Frames = std::vector<std::string>;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "zmq receiver: %s: %s\n", what.c_str(), zmq_strerror(errno));
  std::exit(1);
}

/// Messages in a file, appended and never changed: lengths of topic and payload, topic, payload.
class Store {
 public:
  explicit Store(const char* path) : fd_(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0) Fail(std::string("cannot open ") + path);
    std::string topic;
    while (Next(&topic)) {
    }
    if (ftruncate(fd_, end_) != 0) Fail("cannot cut the message off that was never finished");
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void Add(const std::string& topic, const std::string& payload) {
    std::array<uint32_t, 2> sizes = {static_cast<uint32_t>(topic.size()),
                                     static_cast<uint32_t>(payload.size())};
    std::string record(reinterpret_cast<const char*>(sizes.data()), sizeof sizes);
    record += topic + payload;
    for (size_t done = 0; done < record.size();) {
      const ssize_t wrote =
          pwrite(fd_, record.data() + done, record.size() - done, end_ + static_cast<off_t>(done));
      if (wrote <= 0) Fail("cannot write the file");
      done += static_cast<size_t>(wrote);
    }
    Remember(topic, sizes[1]);
  }

  /// Topics that begin with `prefix`, each with what it holds.
  std::vector<std::pair<std::string, std::string>> Beginning(const std::string& prefix) const {
    std::vector<std::pair<std::string, std::string>> found;
    for (auto it = places_.lower_bound(prefix); it != places_.end(); ++it) {
      if (it->first.compare(0, prefix.size(), prefix) != 0) break;
      for (const std::string& payload : Payloads(it->first)) found.emplace_back(it->first, payload);
    }
    return found;
  }

  std::vector<std::string> Payloads(const std::string& topic) const {
    std::vector<std::string> payloads;
    const auto found = places_.find(topic);
    if (found == places_.end()) return payloads;
    for (const auto& [offset, size] : found->second) {
      std::string payload(size, '\0');
      if (pread(fd_, payload.data(), size, offset) != static_cast<ssize_t>(size)) {
        Fail("cannot read the file");
      }
      payloads.push_back(std::move(payload));
    }
    return payloads;
  }

 private:
  bool Next(std::string* topic) {
    std::array<uint32_t, 2> sizes{};
    if (pread(fd_, sizes.data(), sizeof sizes, end_) != sizeof sizes) return false;
    topic->resize(sizes[0]);
    const off_t begin = end_ + static_cast<off_t>(sizeof sizes);
    if (pread(fd_, topic->data(), sizes[0], begin) != static_cast<ssize_t>(sizes[0])) return false;
    if (lseek(fd_, 0, SEEK_END) < begin + static_cast<off_t>(sizes[0]) + sizes[1]) return false;
    Remember(*topic, sizes[1]);
    return true;
  }

  void Remember(const std::string& topic, uint32_t size) {
    const off_t payload = end_ + static_cast<off_t>(2 * sizeof(uint32_t) + topic.size());
    places_[topic].emplace_back(payload, size);
    end_ = payload + static_cast<off_t>(size);
  }

  const int fd_;
  off_t end_ = 0;
  std::map<std::string, std::vector<std::pair<off_t, size_t>>> places_;
};

void* Bound(void* context, int type, const std::string& address) {
  void* socket = zmq_socket(context, type);
  constexpr int kUnlimited = 0, kEverySubscription = 1;
  zmq_setsockopt(socket, ZMQ_SNDHWM, &kUnlimited, sizeof kUnlimited);
  if (type == ZMQ_XPUB) {
    zmq_setsockopt(socket, ZMQ_XPUB_VERBOSE, &kEverySubscription, sizeof kEverySubscription);
  }
  if (zmq_bind(socket, address.c_str()) != 0) Fail("cannot bind " + address);
  return socket;
}

/// False when nothing is there.
bool Receive(void* socket, Frames* frames) {
  frames->clear();
  for (bool more = true; more;) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    const int got = zmq_msg_recv(&message, socket, ZMQ_DONTWAIT);
    if (got >= 0) {
      frames->emplace_back(static_cast<const char*>(zmq_msg_data(&message)),
                           zmq_msg_size(&message));
    }
    more = got >= 0 && zmq_msg_more(&message) != 0;
    zmq_msg_close(&message);
    if (got < 0) return false;
  }
  return true;
}

void Send(void* socket, const Frames& frames) {
  for (size_t i = 0; i < frames.size(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    if (zmq_send(socket, frames[i].data(), frames[i].size(), more) < 0) Fail("cannot send");
  }
}

void ServeSubscriptions(void* publisher, const Store& store) {
  Frames frames;
  int events = 0;
  size_t size = sizeof events;
  // Asking for the events makes libzmq look for subscriptions.
  while (zmq_getsockopt(publisher, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0 &&
         Receive(publisher, &frames)) {
    if (frames[0].empty() || frames[0][0] != 1) continue;
    for (const auto& [topic, payload] : store.Beginning(frames[0].substr(1))) {
      Send(publisher, {topic, payload});
    }
  }
}

int Serve(const std::string& port, const char* path) {
  Store store(path);
  void* context = zmq_ctx_new();
  void* publisher = Bound(context, ZMQ_XPUB, "ipc://@dsmsg-zmq-" + port + "-publish");
  void* reader = Bound(context, ZMQ_REP, "ipc://@dsmsg-zmq-" + port + "-read");
  void* requests = Bound(context, ZMQ_REP, "tcp://127.0.0.1:" + port);
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    std::array<zmq_pollitem_t, 3> items = {
        {{requests, 0, ZMQ_POLLIN, 0}, {reader, 0, ZMQ_POLLIN, 0}, {publisher, 0, ZMQ_POLLIN, 0}}};
    if (zmq_poll(items.data(), static_cast<int>(items.size()), -1) < 0 && errno != EINTR) {
      Fail("cannot wait");
    }
    ServeSubscriptions(publisher, store);
    Frames frames;
    if (Receive(requests, &frames)) {
      const std::string topic = frames.size() > 1 ? frames.front() : "";
      store.Add(topic, frames.back());
      Send(publisher, {topic, frames.back()});
      Send(requests, {"OK"});
    }
    if (Receive(reader, &frames)) {
      Frames reply = store.Payloads(frames.front());
      reply.insert(reply.begin(), std::to_string(reply.size()));
      Send(reader, reply);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: dsmsg_zmq_receiver PORT FILE\n");
    return 2;
  }
  return Serve(argv[1], argv[2]);
}
