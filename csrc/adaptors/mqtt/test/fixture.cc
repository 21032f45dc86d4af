// SPDX-License-Identifier: Apache-2.0
#include "adaptors/mqtt/test/fixture.h"
#include "core/base/fd.h"
#include "core/base/time.h"
#include "core/net/dial.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace dsmsg::mqtt {
namespace {

bool Answers(uint16_t port) {
  Result<UniqueFd> fd = DialTcp({"127.0.0.1", port}, Clock::now() + Millis(1000), -1);
  return fd.ok();
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  path_ = std::filesystem::temp_directory_path() / "dsmsg-mqtt-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::Write(const std::string& name, const std::string& text) const {
  std::ofstream(File(name)) << text;
  return File(name);
}

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

MosquittoServer::MosquittoServer(std::string lines, bool plain)
    : lines_(std::move(lines)), plain_(plain) {
  if (lines_.find("allow_anonymous") == lines_.npos) lines_ += "\nallow_anonymous true";
  Start();
}

MosquittoServer::~MosquittoServer() { Kill(); }

void MosquittoServer::Start() {
  // Somebody else may take the port between the look and the start.
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (port_ == 0) port_ = FreePort();
    const passwd* user = getpwuid(getuid());
    const std::string config = folder_.Write(
        "mosquitto.conf", "log_dest file " + folder_.File("log") + "\n" +
                              (user != nullptr ? "user " + std::string(user->pw_name) + "\n" : "") +
                              // Its default is 2 MB since 2.1.
                              "max_packet_size 100000000\n" + "listener " + std::to_string(port_) +
                              " 127.0.0.1\n" + lines_ + "\n");
    std::string words[] = {"mosquitto", "-c", config};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves no server behind
      setenv("PATH", "/usr/sbin:/usr/bin:/usr/local/sbin:/sbin:/bin", 1);
      execvp(argv[0], argv);
      _exit(127);
    }
    const Deadline deadline = Clock::now() + Millis(20000);
    while (Clock::now() < deadline) {
      if (Answers(port_)) return;
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) break;
      std::this_thread::sleep_for(Millis(5));  // between two looks
    }
    Kill();
    port_ = 0;
  }
  throw std::runtime_error("mosquitto does not start (apt install mosquitto)");
}

void MosquittoServer::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void MosquittoServer::Freeze() { kill(pid_, SIGSTOP); }
void MosquittoServer::Thaw() { kill(pid_, SIGCONT); }

Client::Client(uint16_t port, const std::string& id, bool version5)
    : object_(mosquitto_new(id.empty() ? nullptr : id.c_str(), true, this)) {
  mosquitto_int_option(object_, MOSQ_OPT_PROTOCOL_VERSION,
                       version5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_connect_callback_set(object_, [](mosquitto*, void* self, int code) {
    static_cast<Client*>(self)->connected_ = code == 0;
  });
  mosquitto_subscribe_callback_set(object_, [](mosquitto*, void* self, int mid, int, const int*) {
    static_cast<Client*>(self)->answered_ = mid;
  });
  mosquitto_publish_callback_set(object_, [](mosquitto*, void* self, int mid) {
    static_cast<Client*>(self)->answered_ = mid;
  });
  mosquitto_message_v5_callback_set(object_, [](mosquitto*, void* self,
                                                const mosquitto_message* message,
                                                const mosquitto_property* properties) {
    Message& got = static_cast<Client*>(self)->received.emplace_back();
    got.topic = message->topic;
    got.payload.assign(static_cast<const char*>(message->payload),
                       static_cast<size_t>(message->payloadlen));
    got.retain = message->retain;
    got.qos = message->qos;
    char *name = nullptr, *value = nullptr;
    const auto* at = mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY, &name,
                                                         &value, false);
    while (at != nullptr) {
      // Since 2.1 the library has nullptr for an empty one.
      got.user_properties.emplace_back(name, value == nullptr ? "" : value);
      free(name);
      free(value);
      at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value, true);
    }
  });
  if (mosquitto_connect(object_, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS ||
      !LoopUntil([this] { return connected_; })) {
    throw std::runtime_error("the test's client cannot connect");
  }
}

Client::~Client() { mosquitto_destroy(object_); }

bool Client::LoopUntil(const std::function<bool()>& done) {
  const Deadline deadline = Clock::now() + Millis(10000);
  while (!done()) {
    if (Clock::now() > deadline) return false;
    if (mosquitto_loop(object_, 20, 1) != MOSQ_ERR_SUCCESS) return false;
  }
  return true;
}

void Client::Subscribe(const std::string& filter, int qos) {
  int mid = 0;
  mosquitto_subscribe(object_, &mid, filter.c_str(), qos);
  if (!LoopUntil([&] { return answered_ == mid; })) throw std::runtime_error("no SUBACK");
}

void Client::Publish(const std::string& topic, const std::string& payload, int qos, bool retain) {
  int mid = 0;
  mosquitto_publish(object_, &mid, topic.c_str(), static_cast<int>(payload.size()), payload.data(),
                    qos, retain);
  if (!LoopUntil([&] { return answered_ == mid; })) throw std::runtime_error("no PUBACK");
}

const std::vector<Client::Message>& Client::Wait(size_t count) {
  LoopUntil([&] { return received.size() >= count; });
  return received;
}

void FakeHost::Complete(Token token, const Status& status) noexcept {
  if (!completed.emplace(token, status).second) ++twice;
  order.push_back(token);
  if (status.ok()) ++ok;
}

Status FakeHost::Deliver(InMessage&& message, AckToken token) noexcept {
  if (delivered.size() >= room) return {Code::kWouldBlock, "full"};
  delivered.push_back(std::move(message));
  callbacks.push_back(token);
  return {};
}

Connection::Connection(const std::string& server, const std::string& config) {
  // As on the I/O thread.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  const DriverInfo& info = MqttDriver::Info();
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

Status Connection::Open(Millis timeout) {
  if (!configured.ok()) return configured;
  return driver.Open(Role::kBoth, Clock::now() + timeout, cancel.fd());
}

Status Connection::PumpUntil(const std::function<bool()>& done, Millis timeout) {
  const Deadline deadline = Clock::now() + timeout;
  while (!done()) {
    if (Clock::now() >= deadline) return {Code::kTimeout, "the test waited too long"};
    if (Status status = driver.Poll(Millis(50), wake.fd()); !status.ok()) return status;
    if (!slow_callbacks) ReturnCallbacks();
  }
  return {};
}

void Connection::ReturnCallbacks() {
  for (const AckToken token : host.callbacks) driver.Ack(token);
  host.callbacks.clear();
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
    if (Status poll = driver.Poll(Millis(50), wake.fd()); !poll.ok()) return poll;
  }
}

Status Connection::WaitCompleted(size_t count) {
  return PumpUntil([&] { return host.completed.size() >= count; });
}

Status Connection::WaitDelivered(size_t count) {
  return PumpUntil([&] { return host.delivered.size() >= count; });
}

Environment::Environment(const char* name, const std::string& value) : name_(name) {
  setenv(name, value.c_str(), 1);
}

Environment::~Environment() { unsetenv(name_); }

}  // namespace dsmsg::mqtt
