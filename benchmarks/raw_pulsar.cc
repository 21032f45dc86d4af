// SPDX-License-Identifier: Apache-2.0
// The official C++ client, by the C functions of the library inside the Python package
// pulsar-client, which is fetched when it is first measured: no distribution packages it. It works
// on threads of its own; batches, their delay and the number of messages under way are the
// adaptor's. configuration: pulsar
// no guard: its server is large
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr char kVersion[] = "3.13.0";

/// Prints the path of the library.
constexpr char kFind[] =
    "from dsmsg.brokers._registries import pip_folder; "
    "print(next((pip_folder('pulsar-client', '%s') / 'pulsar_client.libs').glob('libpulsar*')))";

std::string FindLibrary() {
  const char* const python = std::getenv("DSMSG_PYTHON");
  std::array<char, 512> code{};
  std::snprintf(code.data(), code.size(), kFind, kVersion);
  const std::string command = std::string("PYTHONPATH='" DSMSG_PYTHON_DIR "' ") +
                              (python != nullptr ? python : "python3") + " -c \"" + code.data() +
                              "\"";
  std::string path;
  FILE* const output = popen(command.c_str(), "r");
  for (int letter; output != nullptr && (letter = std::fgetc(output)) != EOF && letter != '\n';) {
    path += static_cast<char>(letter);
  }
  if (output == nullptr || pclose(output) != 0 || path.empty()) {
    throw std::runtime_error("pulsar: cannot fetch the Python package pulsar-client");
  }
  return path;
}

/// Its C functions; results are 0 for success. Objects are opaque.
class Library {
 public:
  Library() : handle_(dlopen(FindLibrary().c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(std::string("pulsar: ") + dlerror());
  }
  template <class... Arguments>
  void Call(const char* name, Arguments... arguments) const {
    Find<void (*)(Arguments...)>(name)(arguments...);
  }
  template <class... Arguments>
  void* Make(const char* name, Arguments... arguments) const {
    return Find<void* (*)(Arguments...)>(name)(arguments...);
  }
  template <class... Arguments>
  void Must(const char* name, Arguments... arguments) const {
    const int result = Find<int (*)(Arguments...)>(name)(arguments...);
    if (result == 0) return;
    throw std::runtime_error(std::string("pulsar: ") + name + ": " + std::to_string(result));
  }
  template <class Function>
  Function Find(const char* name) const {
    void* const found = dlsym(handle_, name);
    if (found == nullptr) throw std::runtime_error(std::string("pulsar: there is no ") + name);
    return reinterpret_cast<Function>(found);
  }

 private:
  void* const handle_;
};

const Library& Pulsar() {
  static const Library library;
  return library;
}

class PulsarClient : public RawClient {
 public:
  explicit PulsarClient(const std::string& url) {
    configuration_ = lib_.Make("pulsar_client_configuration_create");
    lib_.Call("pulsar_client_configuration_set_logger", configuration_, &OnLog,
              static_cast<void*>(nullptr));
    client_ = lib_.Make("pulsar_client_create", url.c_str(), configuration_);
    (void)Producer(kTopic);  // the adaptor is connected when its clock begins, too
  }
  ~PulsarClient() override {
    for (const auto& [name, producer] : producers_) {
      lib_.Find<int (*)(void*)>("pulsar_producer_close")(producer);
      lib_.Call("pulsar_producer_free", producer);
    }
    lib_.Find<int (*)(void*)>("pulsar_client_close")(client_);
    lib_.Call("pulsar_client_free", client_);
    lib_.Call("pulsar_client_configuration_free", configuration_);
  }
  PulsarClient(const PulsarClient&) = delete;
  PulsarClient& operator=(const PulsarClient&) = delete;

  void Submit(const Letter& letter, Sent* sent) override {
    void* const producer = letter.topic == last_name_ ? last_ : Producer(letter.topic);
    void* const message = make_();
    set_content_(message, letter.payload.data(), letter.payload.size());
    set_key_(message, letter.key.c_str());
    auto* const way = new Way{this, message, sent};
    send_(producer, message, &OnSent, way);
  }

  void Poll(std::chrono::microseconds wait) override {
    std::unique_lock lock(mutex_);
    if (answers_.empty()) arrived_.wait_for(lock, wait, [this] { return !answers_.empty(); });
    std::vector<std::pair<Sent*, bool>> answers;
    answers.swap(answers_);
    lock.unlock();
    for (const auto& [sent, ok] : answers) Tracker::Done(sent, ok);
  }

 private:
  struct Way {
    PulsarClient* client;
    void* message;
    Sent* sent;
  };
  static void OnLog(int, const char*, int, const char*, void*) {}

  // On the library's thread.
  static void OnSent(int result, void* id, void* context) {
    const std::unique_ptr<Way> way(static_cast<Way*>(context));
    PulsarClient& client = *way->client;
    if (id != nullptr) client.free_id_(id);
    client.free_(way->message);
    const std::lock_guard lock(client.mutex_);
    client.answers_.emplace_back(way->sent, result == 0);
    client.arrived_.notify_one();
  }

  void* Producer(const std::string& topic) {
    void*& producer = producers_[topic];
    if (producer == nullptr) {
      void* const settings = lib_.Make("pulsar_producer_configuration_create");
      lib_.Call("pulsar_producer_configuration_set_batching_enabled", settings, 1);
      lib_.Call("pulsar_producer_configuration_set_batching_max_messages", settings, 1000U);
      lib_.Call("pulsar_producer_configuration_set_batching_max_allowed_size_in_bytes", settings,
                128UL << 10);
      lib_.Call("pulsar_producer_configuration_set_batching_max_publish_delay_ms", settings, 5UL);
      lib_.Call("pulsar_producer_configuration_set_max_pending_messages", settings,
                static_cast<int>(kWindow));
      lib_.Call("pulsar_producer_configuration_set_block_if_queue_full", settings, 1);
      const std::string name = "persistent://public/default/" + topic;
      lib_.Must("pulsar_client_create_producer", client_, name.c_str(), settings, &producer);
      lib_.Call("pulsar_producer_configuration_free", settings);
    }
    last_name_ = topic;
    return last_ = producer;
  }

  const Library& lib_ = Pulsar();
  void* (*const make_)() = lib_.Find<void* (*)()>("pulsar_message_create");
  void (*const free_)(void*) = lib_.Find<void (*)(void*)>("pulsar_message_free");
  void (*const free_id_)(void*) = lib_.Find<void (*)(void*)>("pulsar_message_id_free");
  void (*const set_content_)(void*, const void*, size_t) =
      lib_.Find<void (*)(void*, const void*, size_t)>("pulsar_message_set_content");
  void (*const set_key_)(void*, const char*) =
      lib_.Find<void (*)(void*, const char*)>("pulsar_message_set_partition_key");
  using OnSentFunction = void (*)(int, void*, void*);
  void (*const send_)(void*, void*, OnSentFunction, void*) =
      lib_.Find<void (*)(void*, void*, OnSentFunction, void*)>("pulsar_producer_send_async");

  void *configuration_ = nullptr, *client_ = nullptr;
  std::map<std::string, void*> producers_;
  std::string last_name_;
  void* last_ = nullptr;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::pair<Sent*, bool>> answers_;
};

class PulsarTarget : public BrokerTarget {
 public:
  PulsarTarget() : BrokerTarget("pulsar") {}
  std::string name() const override { return "pulsar"; }
  std::string adaptor() const override { return "pulsar"; }
  std::string client() const override { return std::string("pulsar-client ") + kVersion; }
  std::string terms() const override {
    return "batches of at most 1000 messages or 128 KB, at most 5 ms old, keyed by the payload's "
           "sensor, 1000 messages without acknowledgement; topics keep nothing";
  }
  std::vector<std::string> config() const override {
    return {"pipeline=" + std::to_string(kWindow), "key=${sensor.id}"};
  }
  std::unique_ptr<RawClient> Connect() override {
    return std::make_unique<PulsarClient>("pulsar://" + host() + ":" + std::to_string(port()));
  }

 protected:
  std::string ServerArgs(const Setup& /*setup*/, uint16_t proxy) const override {
    std::string args =
        R"({"properties":{"defaultRetentionTimeInMinutes":"0","defaultRetentionSizeInMB":"0")";
    if (proxy != 0) {  // clients connect to what the broker advertises
      args += R"(,"advertisedListeners":"own:pulsar://127.0.0.1:)" + std::to_string(proxy) +
              R"(","internalListenerName":"own")";
    }
    return args + "}}";
  }
};

DSMSG_TARGET(PulsarTarget);

}  // namespace
}  // namespace dsmsg::bench
