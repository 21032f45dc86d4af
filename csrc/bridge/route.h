// SPDX-License-Identifier: Apache-2.0
// One route of a bridge: rewrites each received message with templates and sends it to the
// destination; it acknowledges a message to the source once the destination has acknowledged it.
//
// Order: messages are sent in the order in which the source delivers them.
// Back-pressure: with `most_messages` or `most_bytes` in flight, the source's callback waits, so
// that the source is read no further. The destination's queue must hold that much.
// What the destination refuses for good is acknowledged to the source, or ends the route: it then
// takes nothing more, and the source keeps the message.
//
// Threads: OnMessage comes on the source's dispatch thread, OnSent on the route's own work thread
// or on the one that disconnects the destination. The other functions are for any thread; End once.
// Ownership: both connections outlive Start to End. After End: disconnect the destination, then the
// source (acknowledgements still go to it meanwhile), then destroy the route.
#ifndef DSMSG_BRIDGE_ROUTE_H_
#define DSMSG_BRIDGE_ROUTE_H_

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bridge/message_template.h"
#include "core/base/time.h"
#include "host/adaptor_library.h"
#include "msgconv/received_mapper.h"

namespace dsmsg::bridge {

struct RouteSpec {
  std::vector<std::string> topics;
  MessageTemplate topic, payload;
  std::shared_ptr<const msgconv::Map> map;  // makes the payload, in place of `payload`; or null
  std::optional<MessageTemplate> key;       // none: the message's own
  bool copy_headers = true;
  std::vector<std::pair<std::string, MessageTemplate>> headers;  // beside, or instead of, those
  Rendering rendering;
  bool stop_on_refused = true;  // false: acknowledge it to the source
  size_t most_messages = 1000, most_bytes = size_t{64} << 20;
};

/// A connection, and the functions of its adaptor.
struct Side {
  host::AdaptorApi api;
  NvDsMsgApiHandle handle = nullptr;
};

class Route {
 public:
  struct Stats {
    uint64_t received = 0;      // from the source
    uint64_t sent = 0;          // the destination's adaptor took them
    uint64_t acknowledged = 0;  // by the destination, and then to the source
    uint64_t refused = 0;       // by the destination, for good
    uint64_t left_out = 0;      // by the map's condition; acknowledged to the source
    uint64_t not_json = 0;      // payloads that a map could read as text only
    uint64_t in_flight = 0, in_flight_bytes = 0;
    /// With messages in flight: the age of the oldest one; else the age that the last one had when
    /// it was acknowledged. By the source's time where it tells one, else since it was received.
    int64_t lag_ms = 0;
    bool stopped = false;  // the destination refused a message, and the route ended
    std::string last_refusal;
  };

  Route(RouteSpec spec, Side source, Side destination);
  ~Route();
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  /// Subscribes; may be called again after an error.
  NvDsMsgApiErrorType Start();
  /// Takes no further message, and waits for a call of the callback that runs. Then nothing of this
  /// object calls the destination any more.
  void End();
  Stats Read() const;

 private:
  /// A message on its way.
  struct Flight {
    Route* route = nullptr;
    std::list<Flight>::iterator self{};
    uint64_t ack = 0;
    size_t bytes = 0;
    int64_t since_ms = 0;
    std::string topic{};
  };
  using Lock = std::unique_lock<std::mutex>;
  /// What OnMessage renders into; used by the dispatch thread alone.
  struct Rendered {
    std::string topic, payload, key;
    std::vector<std::string> header_values;
    std::vector<DsmsgHeader> headers;
    std::vector<size_t> header_lens;
  };

  enum class Outcome { kAcknowledged, kRefused, kLeftOut };

  void OnMessage(const DsmsgReceived& message);
  static void OnSent(void* user, NvDsMsgApiErrorType code);
  /// Waits for room; null: the route takes nothing more.
  Flight* Take(const DsmsgReceived& message);
  /// Applies the map, if there is one. False: it leaves the message out.
  bool Map(const DsmsgReceived& message);
  /// Why it cannot be sent; "": OnSent follows.
  std::string Send(const DsmsgReceived& message, Flight* flight);
  DsmsgMessage Render(const DsmsgReceived& message);
  void AddHeaders(const DsmsgReceived& message);
  void Finish(Flight& flight, Outcome outcome, const std::string& refusal);
  std::string LastError(bool of_thread) const;
  void Work();

  const RouteSpec spec_;
  const Side source_, destination_;
  Rendered rendered_;
  std::optional<msgconv::ReceivedMapper> mapper_;  // of the dispatch thread, too
  std::string_view mapped_;                        // the payload that it made

  mutable std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  std::list<Flight> flying_, free_;  // in the order received; memory for later ones
  Stats stats_;
  bool full_ = false;  // until half of what is in flight has gone: a wake-up for many messages
  bool ending_ = false, receiving_ = false;

  std::thread worker_;
};

}  // namespace dsmsg::bridge

#endif  // DSMSG_BRIDGE_ROUTE_H_
