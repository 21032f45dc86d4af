// SPDX-License-Identifier: Apache-2.0
// What the conformance suite has to know about one adaptor and its broker. A new adaptor adds one
// file, quirks_<name>.cc, with a subclass and DSMSG_QUIRKS(Subclass); no other file is edited.
//
// Threads: one test at a time uses it; ReadAll and the like only while the server is up.
#ifndef DSMSG_CONFORMANCE_QUIRKS_H_
#define DSMSG_CONFORMANCE_QUIRKS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ledger.h"
#include "server.h"

namespace dsmsg::conformance {

#ifdef DSMSG_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

using Lines = std::vector<std::string>;  // of a config file's group [message-broker]

/// One way to write a connection (CONTRACT section 5). Without `has_connection` NULL is passed.
struct ConnectionForm {
  std::string name, connection;
  Lines config;
  bool has_connection = true;
};

/// A state of the broker in which it refuses messages: how to enter and how to leave it.
struct Refusal {
  std::string name;
  std::function<void(Server&, const std::string&topic)> begin, end;
};

/// A way to hand a password to the adaptor; `secret` must appear in no output.
struct SecretCase {
  std::string name, connection;
  Lines config;
  std::vector<std::pair<std::string, std::string>> environment;
};

class Quirks {
 public:
  virtual ~Quirks() = default;

  // Identity.
  virtual std::string protocol() const = 0;  // what nvds_msgapi_get_protocol_name answers
  virtual std::string library() const = 0;   // file name
  /// Rules of the suite that cannot be shown with this adaptor: name of the suite, reason.
  virtual std::vector<std::pair<std::string, std::string>> NotApplicable() const { return {}; }

  // The broker. What it acknowledged must survive SIGKILL, else survives_kill says so, and an
  // outage is one of the connections. shared() is never killed by a test, faulty() is.
  virtual bool survives_kill() const { return true; }
  Server& shared();
  Server& faulty();
  /// Which of them the test that begins will use is not known yet.
  void TestBegins() { shared_used_ = faulty_used_ = false; }
  /// Ends the servers that the failed test used: it may have left them in any state, and that must
  /// not fail the next test, which gets new ones.
  void TestFailed();
  virtual std::string server_kind() const = 0;  // for `dsmsg.brokers serve`
  virtual std::string server_args() const = 0;  // JSON
  virtual void CreateTopic(Server& server, const std::string& topic, int partitions) = 0;
  /// All that the topic holds, in the broker's order, read without code of dsmsg. Throws if it
  /// cannot prove by the server's own numbers (or a mark that it sent) that it has read everything:
  /// a failed read must never be blamed on the adaptor.
  virtual std::vector<Received> ReadAll(Server& server, const std::string& topic) = 0;

  /// How many messages each run of a host sends: many times what a window, batch or socket holds.
  virtual size_t host_messages() const { return kSanitized ? 5'000 : 20'000; }

  // Configuration.
  /// What every test adds in front of its lines.
  virtual Lines BaseConfig(const Lines& /*lines*/) const { return {}; }
  /// Lines that make a single message travel at once.
  virtual Lines LowLatencyConfig() const { return {}; }
  /// Lines for a separate consumer, which sees all messages sent after subscribe returned.
  virtual Lines ConsumerConfig(const std::string& unique) const = 0;
  /// Everything that must lead to this server (besides the common "host;port" forms of the suite).
  virtual std::vector<ConnectionForm> ConnectionForms(Server& server) const = 0;
  /// A connection string that names a default topic behind its last ';'.
  virtual std::string WithTopic(const Server& server, const std::string& topic) const {
    return server.host() + ";" + std::to_string(server.port()) + ";" + topic;
  }
  /// A message without a topic is no error.
  virtual bool topic_optional() const { return false; }
  /// host;port;user;password, if that replaces host;port;topic.
  virtual bool fields_are_login() const { return false; }
  /// Settings written in two ways that mean the same, and a third that differs.
  struct EqualSettings {
    std::string connection, same, different;
  };
  virtual EqualSettings SignatureForms() const = 0;

  // A topic that the broker refuses to a subscriber who connects with these lines; other topics are
  // allowed.
  virtual bool refuses_topics() const { return true; }
  virtual Server& restricted() { return shared(); }
  virtual Lines RestrictedConfig() const { return {}; }
  virtual std::string ForbiddenTopic(Server& server, const std::string& unique) = 0;

  // Facts about the protocol.
  virtual bool duplicates_possible() const = 0;  // after a lost link
  virtual bool has_keys() const = 0;             // the broker keeps the key: sensor.id by default
  virtual bool has_unknown_topic() const { return false; }
  /// What a received message has beside topic and payload: "key headers bytes timestamp append
  /// partition id". bytes: headers hold any; append: the time is the broker's.
  virtual std::string received_fields() const { return ""; }
  /// With ConsumerConfig, what was not acknowledged comes again on the next connection...
  virtual bool redelivers() const { return true; }
  /// ... marked as such.
  virtual bool marks_redelivered() const { return false; }
  virtual size_t largest_payload() const = 0;  // with the default options of adaptor and broker

  // Refusals: for good (completed with ERR) and for a time (retried until it ends).
  virtual std::vector<Refusal> RefusedForGood() const { return {}; }
  virtual std::vector<Refusal> RefusedForATime() const { return {}; }

  // Credentials. RequirePassword("") switches them off.
  virtual bool has_auth() const { return false; }
  virtual void RequirePassword(Server&, const std::string& /*password*/) {}
  virtual std::vector<SecretCase> SecretCases(Server& server, const std::string& secret) const = 0;

  // DEEPSTREAM_ENABLE_SENSOR_ID_EXTRACTION changes what is stored.
  virtual bool has_sensor_extraction() const { return false; }

 protected:
  /// The server is about to be ended: forgets what is known about it, such as passwords.
  virtual void Forget(const Server& /*server*/) {}

 private:
  void End(std::unique_ptr<Server>* server);

  std::unique_ptr<Server> shared_, faulty_;
  bool shared_used_ = false, faulty_used_ = false;
  int ended_ = 0;
};

/// All quirks linked into the program, in the order of their protocol names.
const std::vector<Quirks*>& AllQuirks();
bool RegisterQuirks(std::unique_ptr<Quirks> quirks);
/// Ends all servers.
void CloseServers();

}  // namespace dsmsg::conformance

#define DSMSG_QUIRKS(Class)                               \
  [[maybe_unused]] static const bool registered_##Class = \
      ::dsmsg::conformance::RegisterQuirks(std::make_unique<Class>())

#endif  // DSMSG_CONFORMANCE_QUIRKS_H_
