// SPDX-License-Identifier: Apache-2.0
// ZeroMQ with REQ, the only one of its patterns that knows what arrived. The "broker" is
// zmq_receiver.cc, a REP server that stores each message before it replies; what it stored is read
// back with libzmq. It also publishes what it stores, and sends everything stored to a new
// subscriber, because ZeroMQ keeps nothing for absent ones.
#include <zmq.h>

#include <array>
#include <cstdlib>
#include <stdexcept>

#include "quirks.h"

namespace dsmsg::conformance {
namespace {

class Reader {
 public:
  explicit Reader(const std::string& address)
      : context_(zmq_ctx_new()), socket_(zmq_socket(context_, ZMQ_REQ)) {
    constexpr int kNoLinger = 0, kTimeout = 30'000, kNoLimit = 0;
    zmq_setsockopt(socket_, ZMQ_LINGER, &kNoLinger, sizeof kNoLinger);
    zmq_setsockopt(socket_, ZMQ_RCVHWM, &kNoLimit, sizeof kNoLimit);
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &kTimeout, sizeof kTimeout);
    zmq_connect(socket_, address.c_str());
  }
  ~Reader() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::vector<std::string> Ask(const std::string& question) {
    if (zmq_send(socket_, question.data(), question.size(), 0) < 0) Throw();
    std::vector<std::string> frames;
    for (bool more = true; more;) {
      zmq_msg_t message;
      zmq_msg_init(&message);
      const int got = zmq_msg_recv(&message, socket_, 0);
      if (got >= 0) {
        frames.emplace_back(static_cast<const char*>(zmq_msg_data(&message)),
                            zmq_msg_size(&message));
      }
      more = got >= 0 && zmq_msg_more(&message) != 0;
      zmq_msg_close(&message);
      if (got < 0) Throw();
    }
    return frames;
  }

 private:
  [[noreturn]] static void Throw() {
    throw std::runtime_error(std::string("zmq: cannot read the receiver's store: ") +
                             zmq_strerror(errno));
  }
  void* const context_;
  void* const socket_;
};

class ZmqQuirks : public Quirks {
 public:
  ZmqQuirks() {
#ifdef DSMSG_ZMQ_RECEIVER
    setenv("DSMSG_ZMQ_RECEIVER", DSMSG_ZMQ_RECEIVER, /*overwrite=*/0);
#endif
  }

  std::string protocol() const override { return "ZMQ"; }
  std::string library() const override { return "libnvds_zmq_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    return {{"Section4_UnknownTopic", "ZeroMQ knows no topics that could be unknown"},
            {"Section4_RefusedForGood", "a reply is an acknowledgement, whatever it says"},
            {"Section4_RefusedForATime", "a reply is an acknowledgement, whatever it says"},
            {"Rule23_ForkSockets", "libzmq does not say which descriptors are its connections"},
            {"Section1_ConnectWithoutFile",
             "the default is PUSH, whose other side stores nothing before it is OK"},
            {"Rule19_Refused", "a publisher refuses no subscription"},
            {"Rule19_TimedOut", "a publisher does not answer a subscription"},
            {"Rule07_Credentials", "keys (CURVE), not passwords: shown in the adaptor's own tests"},
            {"Section5_PasswordFromEnvironment", "keys (CURVE), not passwords"},
            {"Section5_SensorIdExtraction", "a message is its payload: there are no fields"}};
  }

  std::string server_kind() const override { return "zmq"; }
  std::string server_args() const override { return "{}"; }
  void CreateTopic(Server& server, const std::string&, int) override {
    publisher_port_ = server.port();  // of the server that the test is about to use
  }
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    Reader reader("ipc://@dsmsg-zmq-" + std::to_string(server.port()) + "-read");
    const std::vector<std::string> frames = reader.Ask(topic);
    if (frames.front() != std::to_string(frames.size() - 1)) {
      throw std::runtime_error("zmq: the receiver counts " + frames.front() + " messages of " +
                               topic + ", " + std::to_string(frames.size() - 1) + " came");
    }
    std::vector<Received> found;
    for (size_t i = 1; i < frames.size(); ++i) {
      Received message;
      message.payload = frames[i];
      found.push_back(message);
    }
    return found;
  }

  Lines BaseConfig(const Lines&) const override {
    // Hosts have more pending than the 1000 that this adaptor's queue holds by default.
    return {"socket_type=REQ", "topic_frame=1", "queue_size=100000"};
  }
  Lines LowLatencyConfig() const override { return {"submit-linger=0"}; }
  bool redelivers() const override { return false; }
  Lines ConsumerConfig(const std::string&) const override {
    return {"subscribe_address=ipc://@dsmsg-zmq-" + std::to_string(publisher_port_) + "-publish"};
  }
  std::vector<ConnectionForm> ConnectionForms(Server& server) const override {
    return {{"Url", "zmq://tcp://" + server.address(), {}},
            {"Bare", "tcp://" + server.address(), {}},
            {"Marked", ">tcp://" + server.address(), {}}};
  }
  bool refuses_topics() const override { return false; }
  std::string ForbiddenTopic(Server&, const std::string&) override { return {}; }
  EqualSettings SignatureForms() const override {
    return {"zmq.example;5555", "zmq://tcp://zmq.example:5555", "zmq.example;5556"};
  }

  bool duplicates_possible() const override { return true; }
  bool has_keys() const override { return false; }
  size_t largest_payload() const override { return 1 << 20; }

  std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const override {
    const std::string plain = server.host() + ";" + std::to_string(server.port());
    return {{"UrlWithUser", "zmq://tcp://someone:" + secret + "@" + server.address(), {}, {}},
            {"UrlWithUserOnly", "zmq://tcp://" + secret + "@" + server.address(), {}, {}},
            {"Password", plain, {"username=someone", "password=" + secret}, {}},
            {"Environment", plain, {}, {{"USER_ZMQ", "someone"}, {"PASSWORD_ZMQ", secret}}},
            {"SecretKey", plain, {"curve-secret-key=" + secret}, {}},
            {"SecretKeyInTheWrongPlace", plain, {"subscribe_address=" + secret}, {}},
            {"PublicKey", plain, {"curve-server-key=\"" + secret + "\""}, {}}};
  }

 private:
  uint16_t publisher_port_ = 0;
};

DSMSG_QUIRKS(ZmqQuirks);

}  // namespace
}  // namespace dsmsg::conformance
