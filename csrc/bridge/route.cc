// SPDX-License-Identifier: Apache-2.0
#include "bridge/route.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>

#include "core/base/thread.h"

namespace dsmsg::bridge {
namespace {

int64_t NowMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Millis>(now).count();
}

int64_t Age(int64_t since_ms) { return std::max<int64_t>(0, NowMs() - since_ms); }

}  // namespace

Route::Route(RouteSpec spec, Side source, Side destination)
    : spec_(std::move(spec)), source_(source), destination_(destination) {
  if (spec_.map != nullptr) mapper_.emplace(spec_.map, spec_.rendering.separator);
  worker_ = StartThread("dsmsg-bridge", [this] { Work(); });
}

Route::~Route() { End(); }

NvDsMsgApiErrorType Route::Start() {
  std::vector<const char*> topics;
  for (const std::string& topic : spec_.topics) topics.push_back(topic.c_str());
  return source_.api.subscribe_message(
      source_.handle, topics.data(), static_cast<int>(topics.size()),
      [](const DsmsgReceived* message, void* self) {
        static_cast<Route*>(self)->OnMessage(*message);
      },
      DSMSG_MANUAL_ACK, this);
}

Route::Flight* Route::Take(const DsmsgReceived& message) {
  Lock lock(mutex_);
  full_ =
      full_ || flying_.size() >= spec_.most_messages || stats_.in_flight_bytes >= spec_.most_bytes;
  changed_.wait(lock, [this] { return ending_ || stats_.stopped || !full_; });
  if (ending_ || stats_.stopped) return nullptr;
  if (free_.empty()) free_.emplace_back();
  flying_.splice(flying_.end(), free_, free_.begin());
  Flight* flight = &flying_.back();
  flight->route = this;
  flight->self = std::prev(flying_.end());
  flight->ack = message.ack;
  flight->bytes = message.payload_len;
  flight->since_ms = message.timestamp_ms >= 0 ? message.timestamp_ms : NowMs();
  receiving_ = true;
  ++stats_.received;
  ++stats_.sent;
  stats_.in_flight_bytes += flight->bytes;
  if (flying_.size() == 1) changed_.notify_all();
  return flight;
}

void Route::OnMessage(const DsmsgReceived& message) {
  Flight* flight = Take(message);
  if (flight == nullptr) return;  // unacknowledged: the source delivers it again
  std::string refusal;
  bool left_out = false;
  try {
    left_out = !Map(message);
    if (!left_out) refusal = Send(message, flight);
  } catch (const std::exception& error) {
    refusal = error.what();
  }
  if (left_out) Finish(*flight, Outcome::kLeftOut, "");
  if (!refusal.empty()) Finish(*flight, Outcome::kRefused, refusal);
  const Lock lock(mutex_);
  if (left_out || !refusal.empty()) --stats_.sent;
  receiving_ = false;
  if (ending_) changed_.notify_all();
}

bool Route::Map(const DsmsgReceived& message) {
  if (!mapper_) return true;
  const std::optional<std::string_view> made = mapper_->Make(message);
  if (made) mapped_ = *made;
  if (mapper_->was_json()) return made.has_value();
  const Lock lock(mutex_);
  ++stats_.not_json;
  return made.has_value();
}

std::string Route::Send(const DsmsgReceived& message, Flight* flight) {
  const DsmsgMessage made = Render(message);
  flight->topic = rendered_.topic;
  if (rendered_.topic.empty()) return "the route's topic came out empty";
  if (rendered_.topic.find('\0') != std::string::npos) return "the topic contains a NUL";
  const NvDsMsgApiErrorType answer =
      destination_.api.send_message(destination_.handle, &made, &OnSent, flight);
  return answer == NVDS_MSGAPI_OK ? "" : LastError(true);
}

DsmsgMessage Route::Render(const DsmsgReceived& message) {
  DsmsgMessage made{};
  made.size = sizeof made;
  rendered_.topic.clear();
  spec_.topic.Render(message, spec_.rendering, &rendered_.topic);
  made.topic = rendered_.topic.c_str();
  if (mapper_) {
    made.payload = reinterpret_cast<const uint8_t*>(mapped_.data());
    made.payload_len = mapped_.size();
  } else if (spec_.payload.is_value() && spec_.rendering.value == Encoding::kNone) {
    made.payload = message.payload;
    made.payload_len = message.payload_len;
  } else {
    rendered_.payload.clear();
    spec_.payload.Render(message, spec_.rendering, &rendered_.payload);
    made.payload = reinterpret_cast<const uint8_t*>(rendered_.payload.data());
    made.payload_len = rendered_.payload.size();
  }
  if (spec_.key) {
    rendered_.key.clear();
    spec_.key->Render(message, spec_.rendering, &rendered_.key);
    if (!rendered_.key.empty()) {
      made.key = reinterpret_cast<const uint8_t*>(rendered_.key.data());
      made.key_len = rendered_.key.size();
    }
  } else {
    made.key = message.key;
    made.key_len = message.key_len;
  }
  AddHeaders(message);
  made.headers = rendered_.headers.data();
  made.header_lens = rendered_.header_lens.data();
  made.num_headers = rendered_.headers.size();
  made.timestamp_ms = std::max<int64_t>(0, message.timestamp_ms);
  return made;
}

void Route::AddHeaders(const DsmsgReceived& message) {
  rendered_.headers.clear();
  rendered_.header_lens.clear();
  rendered_.header_values.resize(spec_.headers.size());
  const auto add = [this](const char* name, const char* value, size_t size) {
    rendered_.headers.push_back({name, value});
    rendered_.header_lens.push_back(size);
  };
  for (size_t i = 0; spec_.copy_headers && i < message.num_headers; ++i) {
    const DsmsgReceivedHeader& header = message.headers[i];
    const bool replaced = std::any_of(spec_.headers.begin(), spec_.headers.end(),
                                      [&](const auto& own) { return own.first == header.name; });
    if (!replaced) add(header.name, reinterpret_cast<const char*>(header.value), header.value_len);
  }
  for (size_t i = 0; i < spec_.headers.size(); ++i) {
    std::string& value = rendered_.header_values[i];
    value.clear();
    spec_.headers[i].second.Render(message, spec_.rendering, &value);
    if (!value.empty()) add(spec_.headers[i].first.c_str(), value.c_str(), value.size());
  }
}

void Route::OnSent(void* user, NvDsMsgApiErrorType code) {
  auto& flight = *static_cast<Flight*>(user);
  Route& self = *flight.route;
  if (code == NVDS_MSGAPI_OK) {
    self.Finish(flight, Outcome::kAcknowledged, "");
  } else {
    self.Finish(flight, Outcome::kRefused, self.LastError(false));
  }
}

void Route::Finish(Flight& flight, Outcome outcome, const std::string& refusal) {
  bool refused = false;
  {
    const Lock lock(mutex_);
    // While the route ends, the destination calls back what it could not send any more.
    refused = outcome == Outcome::kRefused && !ending_ && !stats_.stopped;
    if (refused) {
      ++stats_.refused;
      stats_.last_refusal = "a message to \"" + flight.topic + "\": " + refusal;
      stats_.stopped = spec_.stop_on_refused;
    }
  }
  // Before the place is free: an acknowledgement makes the source deliver more.
  if (outcome != Outcome::kRefused || (refused && !spec_.stop_on_refused)) {
    source_.api.ack(source_.handle, flight.ack);
  }
  const Lock lock(mutex_);
  if (outcome == Outcome::kLeftOut) ++stats_.left_out;
  if (outcome == Outcome::kAcknowledged) {
    ++stats_.acknowledged;
    stats_.lag_ms = Age(flight.since_ms);
  }
  stats_.in_flight_bytes -= flight.bytes;
  free_.splice(free_.begin(), flying_, flight.self);
  const bool room =
      flying_.size() <= spec_.most_messages / 2 && stats_.in_flight_bytes <= spec_.most_bytes / 2;
  if (full_ && room) {
    full_ = false;
    changed_.notify_all();
  }
  if (stats_.stopped) changed_.notify_all();
}

std::string Route::LastError(bool of_thread) const {
  char text[1024] = "";
  if (destination_.api.last_error != nullptr) {
    destination_.api.last_error(of_thread ? nullptr : destination_.handle, text, sizeof text);
  }
  return text[0] == '\0' ? "the adaptor gave no reason (see its log)" : text;
}

void Route::Work() {
  Lock lock(mutex_);
  while (!ending_) {
    if (flying_.empty()) {
      changed_.wait(lock);
      continue;
    }
    lock.unlock();
    destination_.api.do_work(destination_.handle);
    lock.lock();
  }
}

void Route::End() {
  {
    Lock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !receiving_; });
  }
  if (worker_.joinable()) worker_.join();
}

Route::Stats Route::Read() const {
  const Lock lock(mutex_);
  Stats stats = stats_;
  stats.in_flight = flying_.size();
  if (!flying_.empty()) stats.lag_ms = Age(flying_.front().since_ms);
  return stats;
}

}  // namespace dsmsg::bridge
