// SPDX-License-Identifier: Apache-2.0
// Two destinations in mode all, two streams of the Redis server that the suite kills and freezes.
// The rules about queues, callbacks and ends are the same as for one; what depends on a broker's
// words is shown with the destinations' own adaptors. Both streams are read back.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <set>
#include <stdexcept>

#include "address.h"
#include "quirks.h"

namespace dsmsg::conformance {
namespace {

constexpr char kSecond[] = "-second";  // what the second destination adds to the topic

/// "host;port", "host:port" and "host;port;topic" become a handlers file. Anything else is passed
/// as it is.
std::string HandlersFile(const std::string& connection) {
  const size_t end = connection.find_first_of(";:");
  if (end == std::string::npos || end == 0 || connection.find('/') != std::string::npos)
    return connection;
  const std::string rest = connection.substr(end + 1), port = rest.substr(0, rest.find(';'));
  if (port.empty() || port.find_first_not_of("0123456789") != std::string::npos) return connection;
  const std::string topic = rest.find(';') == std::string::npos ? "" : rest.substr(rest.find(';'));
  const std::string address = connection.substr(0, end) + ":" + port;
  const char* folder = std::getenv("TEST_TMPDIR");
  const std::string path = std::string(folder != nullptr ? folder : "/tmp/") + "multi-" +
                           std::to_string(getpid()) + "-" + address + ".json";
  const auto handler = [&](const std::string& name, const std::string& topic_template) {
    return "\"" + name + "\": {\"uri\": \"redis://" + address +
           R"(", "topics": "*", "config": {"streamsize": 0, "overflow": "block", "linger": 0, )" +
           R"("topic-template": ")" + topic_template + "\"}}";
  };
  static std::mutex mutex;  // connections are made by many threads at once
  const std::lock_guard lock(mutex);
  if (std::ifstream(path).good()) return path + topic;
  std::ofstream(path) << "{\"output\": {\"handlers\": {" << handler("one", "${topic}") << ", "
                      << handler("two", std::string("${topic}") + kSecond) << "}}}";
  return path + topic;
}

[[maybe_unused]] const bool translated =
    TranslateAddresses("libnvds_multi_proto.so", &HandlersFile);

class MultiQuirks : public Quirks {
 public:
  std::string protocol() const override { return "MULTI"; }
  std::string library() const override { return "libnvds_multi_proto.so"; }
  std::vector<std::pair<std::string, std::string>> NotApplicable() const override {
    constexpr char kSends[] = "it only sends", kFile[] = "the connection string is a file",
                   kTheirs[] = "the destinations' adaptors do that";
    return {{"Rule10_Subscribe", kSends},
            {"Rule11_ThreadSafety.DisconnectInsideASubscribeCallbackIsRefused", kSends},
            {"Rule11_ThreadSafety.EveryFunctionFromManyThreads", kSends},
            {"Rule08_Disconnect.BrokerFrozenWithSubscription", kSends},
            {"Rule17_SilentBroker.SendAndSubscribeAreBounded", kSends},
            {"Rule19_Refused", kSends},
            {"Rule19_Replaced", kSends},
            {"Rule19_TimedOut", kSends},
            {"Extensions_Message", kSends},
            {"Section1_BadArguments.Subscribe", kSends},
            {"Section1_BadArguments.Send", "without a topic a message is for `events`"},
            {"Section1_BadArguments.SendAsync", "without a topic a message is for `events`"},
            {"Rule24_Limits.ConnectWithFewDescriptors",
             "it opens with one destination while the other has no descriptors left"},
            {"Options_Overflow.EveryPolicy", "a destination's queue is a quarter of the 10"},
            {"Rule13_Signature", kFile},
            {"Rule14_Secrets", "tests/python/test_multi.py"},
            {"Rule18_LoadUnloadAgain.ExitWithoutDisconnect", kFile},
            {"Section5_ConnectionStrings", kFile},
            {"Section5_PasswordFromEnvironment", kTheirs},
            {"Section5_SensorIdExtraction", kTheirs},
            {"Section4_UnknownTopic", kTheirs},
            {"Section4_RefusedForATime", kTheirs},
            {"Rule07_Credentials", kTheirs},
            {"Poison_OneMessage", kTheirs}};
  }

  std::string server_kind() const override { return "redis"; }
  std::string server_args() const override { return Redis().server_args(); }
  void CreateTopic(Server&, const std::string&, int) override {}
  /// That of the two that holds fewer messages: what was OK is in both.
  std::vector<Received> ReadAll(Server& server, const std::string& topic) override {
    std::vector<Received> one = Redis().ReadAll(server, topic);
    std::vector<Received> two = Redis().ReadAll(server, topic + kSecond);
    const auto different = [](const std::vector<Received>& messages) {
      std::set<std::string> payloads;
      for (const Received& message : messages) payloads.insert(message.payload);
      return payloads.size();
    };
    return different(one) <= different(two) ? one : two;
  }

  Lines ConsumerConfig(const std::string&) const override { return {}; }
  std::vector<ConnectionForm> ConnectionForms(Server&) const override { return {}; }
  bool refuses_topics() const override { return false; }
  std::string ForbiddenTopic(Server&, const std::string&) override { return {}; }
  EqualSettings SignatureForms() const override { return {}; }
  bool duplicates_possible() const override { return true; }
  bool has_keys() const override { return false; }
  size_t largest_payload() const override { return 1 << 20; }
  std::vector<Refusal> RefusedForGood() const override { return Redis().RefusedForGood(); }
  std::vector<SecretCase> SecretCases(Server&, const std::string&) const override { return {}; }

 private:
  static Quirks& Redis() {
    for (Quirks* each : AllQuirks()) {
      if (each->protocol() == "REDIS") return *each;
    }
    throw std::runtime_error("multi: its destinations need the Redis adaptor");
  }
};

DSMSG_QUIRKS(MultiQuirks);

}  // namespace
}  // namespace dsmsg::conformance
