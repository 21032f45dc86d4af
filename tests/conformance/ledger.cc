// SPDX-License-Identifier: Apache-2.0
#include "ledger.h"

#include <map>
#include <sstream>
#include <unordered_map>

#include "adaptor.h"

namespace dsmsg::conformance {
namespace {

/// Collects the first few complaints and counts the rest.
class Complaints {
 public:
  template <class... Parts>
  void Add(const Parts&... parts) {
    if (++count_ > 5) return;
    ((text_ << parts), ...);
    text_ << '\n';
  }
  std::string Text() const {
    if (count_ <= 5) return text_.str();
    return text_.str() + "... and " + std::to_string(count_ - 5) + " more\n";
  }

 private:
  std::ostringstream text_;
  size_t count_ = 0;
};

std::string Shown(const std::string& payload) {
  return payload.size() <= 100
             ? payload
             : payload.substr(0, 100) + "... (" + std::to_string(payload.size()) + " bytes)";
}

}  // namespace

Record& Ledger::Add(std::string topic, std::string key, std::string payload) {
  std::lock_guard lock(mutex_);
  Record& record = records_.emplace_back();
  record.ledger = this;
  record.id = records_.size() - 1;
  record.topic = std::move(topic);
  record.key = std::move(key);
  record.payload = std::move(payload);
  return record;
}

Record& Ledger::Add(const std::string& topic, const std::string& key) {
  Record& record = Add(topic, key, "");
  record.payload = R"({"sensor":{"id":")" + key + R"("},"topic":")" + topic + R"(","seq":)" +
                   std::to_string(record.id) + R"(,"text":"\u00e9 100% $1 'quoted' \"x\""})";
  return record;
}

size_t Ledger::size() const {
  std::lock_guard lock(mutex_);
  return records_.size();
}

void Ledger::Answered(Record& record, NvDsMsgApiErrorType answer) {
  record.answer = answer;
  if (answer == NVDS_MSGAPI_OK) {
    std::lock_guard lock(mutex_);
    ++accepted_;
  }
}

void Ledger::OnSent(void* user, NvDsMsgApiErrorType flag) {
  const CallState& state = ThisThread();
  if (state.send > 0) NoteViolation("rule 1: send callback on the stack of a send");
  if (state.connect > 0) NoteViolation("rule 1: send callback on the stack of connect");
  if (state.work + state.disconnect == 0) {
    NoteViolation("rule 2: send callback outside of do_work and disconnect");
  }
  if (user == nullptr) return NoteViolation("send callback with a NULL user pointer");
  Record& record = *static_cast<Record*>(user);
  Ledger& ledger = *record.ledger;
  if (ledger.on_callback) ledger.on_callback(record);
  record.flag = flag;
  std::lock_guard lock(ledger.mutex_);
  if (record.calls.fetch_add(1) == 0) ++ledger.completed_;
  ledger.changed_.notify_all();
}

size_t Ledger::Count(NvDsMsgApiErrorType flag) const {
  std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const Record& record : records_) count += record.flag.load() == static_cast<int>(flag);
  return count;
}

bool Ledger::WaitCompleted(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, std::chrono::steady_clock::now() + timeout,
                             [this] { return completed_.load() >= accepted_.load(); });
}

std::string Ledger::CheckCallbacks() const {
  std::lock_guard lock(mutex_);
  Complaints complaints;
  for (const Record& record : records_) {
    const int expected = record.answer == NVDS_MSGAPI_OK ? 1 : 0;
    if (record.calls == expected) continue;
    complaints.Add("message ", record.id, " (send_async returned ", record.answer.load(),
                   ") was called back ", record.calls.load(), " times, last with ",
                   record.flag.load());
  }
  return complaints.Text();
}

std::string Ledger::CheckDelivery(const std::vector<Received>& found,
                                  const DeliveryRules& rules) const {
  std::lock_guard lock(mutex_);
  std::unordered_map<std::string_view, const Record*> sent;
  for (const Record& record : records_) sent[record.payload] = &record;
  Complaints complaints;
  std::vector<int> seen(records_.size(), 0);
  std::map<std::string, size_t> last;  // of each key
  for (const Received& message : found) {
    const auto it = sent.find(message.payload);
    if (it == sent.end()) {
      complaints.Add("the broker holds a message that was never sent: ", Shown(message.payload));
      continue;
    }
    const Record& record = *it->second;
    if (record.answer != NVDS_MSGAPI_OK) complaints.Add("refused, yet sent: ", record.id);
    if (rules.keys && (message.key != record.key || message.has_key == record.key.empty())) {
      complaints.Add("message ", record.id, " has the key '", message.key, "', sent was '",
                     record.key, "'");
    }
    if (++seen[record.id] > 1) {
      if (!rules.duplicates) complaints.Add("message ", record.id, " arrived twice");
      continue;
    }
    const auto [place, first] = last.try_emplace(record.key, record.id);
    if (first) continue;
    if (place->second > record.id) {
      complaints.Add("order of key '", record.key, "': ", record.id, " arrived after ",
                     place->second);
    }
    place->second = record.id;
  }
  for (const Record& record : records_) {
    if (record.flag == NVDS_MSGAPI_OK && seen[record.id] == 0) {
      complaints.Add("message ", record.id, " was called back with OK but never arrived");
    }
  }
  return complaints.Text();
}

}  // namespace dsmsg::conformance
