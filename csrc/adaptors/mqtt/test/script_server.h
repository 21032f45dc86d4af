// SPDX-License-Identifier: Apache-2.0
// A server that answers as a test wants: it splits the input into packets, and a function answers
// each. For answers that Mosquitto never gives.
//
// Threads: one of its own runs the function; the destructor ends it.
#ifndef DSMSG_ADAPTORS_MQTT_TEST_SCRIPT_SERVER_H_
#define DSMSG_ADAPTORS_MQTT_TEST_SCRIPT_SERVER_H_

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/fd.h"
#include "core/net/dial.h"

namespace dsmsg::mqtt {

class ScriptServer {
 public:
  /// `connection` counts from 1, `packet` is whole. No answer: the connection is closed.
  using Script =
      std::function<std::optional<std::string>(int connection, const std::string& packet)>;

  explicit ScriptServer(Script script);
  ~ScriptServer();
  std::string Address() const { return "127.0.0.1;" + std::to_string(port_); }
  /// Inside the function: something for another connection, if that is still there.
  void Say(int connection, const std::string& bytes) const;
  /// Protocol levels of the CONNECT packets seen: 5 or 4.
  std::vector<int> versions();

  // Packets.
  static bool IsConnect(const std::string& packet) { return (packet[0] & 0xf0) == 0x10; }
  static bool IsPublish(const std::string& packet) { return (packet[0] & 0xf0) == 0x30; }
  static bool IsPuback(const std::string& packet) { return (packet[0] & 0xf0) == 0x40; }
  static bool IsSubscribe(const std::string& packet) { return (packet[0] & 0xf0) == 0x80; }
  /// `properties`: their bytes, without the length.
  static std::string Connack5(int reason, const std::string& properties = "");
  static std::string Connack311(int code);
  static std::string Puback5(const std::string& publish, int reason);
  /// With QoS 1 and an empty list of properties; for texts that are short together.
  static std::string Publish5(const std::string& topic, int id, const std::string& payload);
  static std::string Suback5(const std::string& subscribe, const std::vector<int>& reasons);

 private:
  struct Client {
    UniqueFd fd;
    std::string bytes;  // received, and no whole packet yet
  };
  void Run();
  bool Serve(int connection, Client* client);

  const Script script_;
  uint16_t port_ = 0;
  UniqueFd listener_;
  WakeFd stop_;
  std::map<int, Client> clients_;  // by number of the connection
  std::mutex mutex_;               // guards versions_
  std::vector<int> versions_;
  std::thread thread_;
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_TEST_SCRIPT_SERVER_H_
