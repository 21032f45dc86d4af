// SPDX-License-Identifier: Apache-2.0
// One connection to an MQTT server: name lookup, TCP, TLS, CONNECT with the fallback to MQTT 3.1.1,
// and then reading and writing when the socket is ready. libmosquitto speaks the protocol; this
// class does all the waiting.
//
// Threads: the connection's I/O thread only. Settings, log and events outlive it. Events are
// reported inside Open, Step and mosquitto_publish; none of them may close the client.
#ifndef DSMSG_ADAPTORS_MQTT_CONNECTION_H_
#define DSMSG_ADAPTORS_MQTT_CONNECTION_H_

#include <map>
#include <memory>
#include <span>
#include <string>

#include "adaptors/mqtt/handle.h"
#include "adaptors/mqtt/wire.h"
#include "core/base/log.h"
#include "core/base/time.h"
#include "core/net/hints.h"
#include "core/net/servers.h"
#include "core/net/silence.h"

namespace dsmsg::mqtt {

class MqttEvents {
 public:
  /// PUBACK, PUBCOMP, a refusing PUBREC (with the server's text), or, for QoS 0, written out. May
  /// be called from inside mosquitto_publish.
  virtual void OnPublished(int mid, int reason, const std::string& words) = 0;
  /// `properties` of MQTT 5, else null.
  virtual void OnMessage(const mosquitto_message& message,
                         const mosquitto_property* properties) = 0;
  virtual void OnSubscribed(int mid, std::span<const int> granted) = 0;
  virtual void OnUnsubscribed(int mid) = 0;

 protected:
  ~MqttEvents() = default;
};

class MqttConnection {
 public:
  MqttConnection(const MqttSettings& settings, Logger& log, MqttEvents& events);
  ~MqttConnection() { Close(Millis(0)); }
  MqttConnection(const MqttConnection&) = delete;
  MqttConnection& operator=(const MqttConnection&) = delete;

  /// Tries the servers in turn, each with its share of the time, beginning with the one after the
  /// last that worked and then failed.
  Status Open(Deadline deadline, int cancel_fd);
  bool open() const { return object_ != nullptr; }
  /// With `drain`, sends DISCONNECT, so that the server does not publish the will.
  void Close(Millis drain);
  void PreferNextServer() { servers_.PreferNext(); }

  struct Progress {
    bool woken = false;   // wake_fd is readable
    bool worked = false;  // something was read or written
  };
  /// Sends what was published, waits at most `timeout` and processes what is ready. `read` false:
  /// incoming data stays in the kernel. An error: the connection is lost.
  Status Step(Millis timeout, int wake_fd, bool read, Progress* progress);

  /// Acknowledges a received message of QoS 1, at the next Step. Ids are of this connection.
  void Acknowledge(int mid) { wire_.Acknowledge(static_cast<uint16_t>(mid)); }

  /// An answer is due from now on.
  void ExpectAnswer() { silence_.BeginExpecting(); }
  /// kTimeout if the server has neither answered nor accepted bytes for the silence limit.
  Status CheckSilence() { return silence_.Check(wire_.fd(), name_); }

  mosquitto* object() { return object_.get(); }
  const std::string& name() const { return name_; }  // "localhost:1883": the server in use
  // Of the connection that is open.
  bool version5() const { return version5_; }
  bool session_present() const { return session_present_; }
  size_t receive_maximum() const { return receive_maximum_; }
  int maximum_qos() const { return maximum_qos_; }
  bool retain_available() const { return retain_available_; }

 private:
  Status OpenServer(const HostPort& server, Deadline deadline, int cancel_fd);
  Status OpenOlder(const HostPort& server, const std::vector<Address>& addresses,
                   const Status& newer, Deadline deadline, int cancel_fd);
  Status OpenVersion(const HostPort& server, const std::vector<Address>& addresses, bool version5,
                     Deadline deadline, int cancel_fd);
  Status OpenAddress(const HostPort& server, const Address& address, Deadline deadline,
                     int cancel_fd);
  Status WaitConnected(const HostPort& server, Deadline deadline, int cancel_fd);
  Status WaitConnack(Deadline deadline, int cancel_fd);
  bool KnownFor(bool version5) const;
  void Remember(bool version5);
  Status CheckLimits();
  void Forget();

  Status ReadAll();
  Status Digest();
  Status WriteAll();
  Status WireLost(TransportIo io);
  /// What is known about the server, for advice.
  Peer peer() const;
  Status CheckFirstBytes();
  Status Foreign() const;
  Status Lost(int error, int error_number);
  Status LostOpening(int error, int error_number) const;
  Status LostOpen(int error, int error_number);
  Status KeepAlive(bool reading);

  void SetCallbacks();
  void OnConnack(int code, int flags, const mosquitto_property* properties);

  const MqttSettings& settings_;
  Login login_;
  Logger& log_;
  MqttEvents& events_;
  MosquittoPtr object_;
  MqttWire wire_;
  std::string name_;
  Servers servers_;
  SilenceWatch silence_;
  // Which version a server was found to speak, and how long that is remembered.
  struct Spoken {
    bool version5 = true;
    Clock::time_point until;
  };
  std::map<std::string, Spoken> spoken_;
  int short_lives_ = 0;  // consecutive connections that the server closed soon and without a reason

  // Of one connection.
  bool version5_ = true, session_present_ = false, retain_available_ = true;
  int connack_ = -1, disconnect_reason_ = 0, maximum_qos_ = 2;
  std::string words_;  // what the server said with its connack_
  bool malformed_ =
      false;  // the connection ended because of a packet that is invalid in this version
  size_t receive_maximum_ = 65535;
  bool attached_ = false;    // connected, and the TLS handshake is done
  std::string first_bytes_;  // of the server
  Clock::time_point opened_{}, next_misc_{}, read_since_{};
};

}  // namespace dsmsg::mqtt

#endif  // DSMSG_ADAPTORS_MQTT_CONNECTION_H_
