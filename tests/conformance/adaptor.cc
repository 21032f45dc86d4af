// SPDX-License-Identifier: Apache-2.0
#include "adaptor.h"

#include <dlfcn.h>
#include <rapidjson/document.h>

#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "address.h"
#include "ledger.h"

namespace dsmsg::conformance {
namespace {

using Translate = std::string (*)(const std::string&);

std::map<std::string, Translate>& Translations() {
  static std::map<std::string, Translate> translations;  // by file name
  return translations;
}

std::string FileOf(const Adaptor& adaptor) {
  return adaptor.path().substr(adaptor.path().rfind('/') + 1);
}

class Counted {
 public:
  explicit Counted(int& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  int& count_;
};

struct ViolationList {
  std::mutex mutex;
  std::vector<std::string> texts;
};

ViolationList& Violations() {
  static ViolationList list;
  return list;
}

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

template <class Function>
void Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

template <class Function>
void Need(void* library, const char* name, Function& function) {
  Find(library, name, function);
  if (function == nullptr) throw std::runtime_error(std::string("not exported: ") + name);
}

}  // namespace

bool TranslateAddresses(const std::string& library, Translate translate) {
  return Translations().emplace(library, translate).second;
}

std::string Translated(const std::string& library, const std::string& connection) {
  const auto found = Translations().find(library);
  return found == Translations().end() ? connection : found->second(connection);
}

CallState& ThisThread() {
  thread_local CallState state;
  return state;
}

void NoteViolation(std::string text) {
  constexpr size_t kEnough = 20;
  std::lock_guard lock(Violations().mutex);
  if (Violations().texts.size() < kEnough) Violations().texts.push_back(std::move(text));
}

std::vector<std::string> TakeViolations() {
  std::lock_guard lock(Violations().mutex);
  return std::exchange(Violations().texts, {});
}

std::unique_ptr<Adaptor> Adaptor::Load(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(std::string("dlopen: ") + dlerror());
  auto adaptor = std::make_unique<Adaptor>(AdaptorFunctions{});
  adaptor->library_ = library;
  adaptor->path_ = path;
  AdaptorFunctions& f = adaptor->f;
  Need(library, "nvds_msgapi_connect", f.connect);
  Need(library, "nvds_msgapi_send", f.send);
  Need(library, "nvds_msgapi_send_async", f.send_async);
  Need(library, "nvds_msgapi_subscribe", f.subscribe);
  Need(library, "nvds_msgapi_do_work", f.do_work);
  Need(library, "nvds_msgapi_disconnect", f.disconnect);
  Need(library, "nvds_msgapi_getversion", f.getversion);
  Need(library, "nvds_msgapi_get_protocol_name", f.get_protocol_name);
  Need(library, "nvds_msgapi_connection_signature", f.connection_signature);
  Find(library, "dsmsg_describe", f.describe);
  Find(library, "dsmsg_stats", f.stats);
  Find(library, "dsmsg_last_error", f.last_error);
  Find(library, "dsmsg_set_link_callback", f.set_link_callback);
  Find(library, "dsmsg_flush", f.flush);
  Find(library, "dsmsg_reload", f.reload);
  Find(library, "dsmsg_send_message", f.send_message);
  Find(library, "dsmsg_check_topic", f.check_topic);
  Find(library, "dsmsg_subscribe_message", f.subscribe_message);
  Find(library, "dsmsg_ack", f.ack);
  Find(library, "dsmsg_last_error_kind", f.last_error_kind);
  return adaptor;
}

Adaptor::~Adaptor() {
  if (library_ != nullptr) dlclose(library_);
}

std::string Adaptor::Signature(const std::string& connection, const std::string& config) const {
  std::string broker = connection, file = config;
  char output[128] = "untouched";
  if (f.connection_signature(broker.data(), file.data(), output, sizeof output) != NVDS_MSGAPI_OK) {
    return "ERR";
  }
  return output;
}

std::string Adaptor::LastError(NvDsMsgApiHandle handle) const {
  if (f.last_error == nullptr) return "";
  char text[4096] = "";
  f.last_error(handle, text, sizeof text);
  return text;
}

Stats Stats::Parse(const std::string& json) {
  Stats stats;
  stats.json_ = json;
  rapidjson::Document document;
  if (document.Parse(json.data(), json.size()).HasParseError() || !document.IsObject()) {
    throw std::runtime_error("dsmsg_stats is not a JSON object: " + json);
  }
  const auto add = [&stats](const std::string& name, const rapidjson::Value& value) {
    if (value.IsString()) stats.values_.emplace_back(name, value.GetString());
    if (value.IsInt64()) stats.values_.emplace_back(name, std::to_string(value.GetInt64()));
    if (value.IsDouble()) stats.values_.emplace_back(name, std::to_string(value.GetDouble()));
    if (value.IsObject()) stats.values_.emplace_back(name, "");
  };
  for (const auto& member : document.GetObject()) {
    const std::string name = member.name.GetString();
    add(name, member.value);
    if (!member.value.IsObject()) continue;
    for (const auto& inner : member.value.GetObject()) {
      add(name + "." + inner.name.GetString(), inner.value);
    }
  }
  return stats;
}

bool Stats::Has(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return true;
  }
  return false;
}

std::string Stats::Text(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return "";
}

uint64_t Stats::operator[](std::string_view name) const {
  const std::string text = Text(name);
  return text.empty() ? 0 : std::stoull(text);
}

Link Link::Open(const Adaptor& adaptor, const std::optional<std::string>& connection,
                const std::optional<std::string>& config, nvds_msgapi_connect_cb_t callback) {
  // Copies: a host frees its strings after the call.
  std::string broker = Translated(FileOf(adaptor), connection.value_or("")),
              file = config.value_or("");
  Counted scope(ThisThread().connect);
  return {adaptor, adaptor.f.connect(connection ? broker.data() : nullptr, callback,
                                     config ? file.data() : nullptr)};
}

NvDsMsgApiErrorType Link::Send(const std::string& topic, std::string_view payload) const {
  std::string copy = topic;
  Counted scope(ThisThread().send);
  return adaptor_->f.send(handle_, copy.data(), Bytes(payload), payload.size());
}

NvDsMsgApiErrorType Link::SendAsync(Record& record) const {
  // Both are freed right after the call: the adaptor must have copied them.
  std::string topic = record.topic, payload = record.payload;
  const NvDsMsgApiErrorType result = SendAsync(topic.data(), payload, &Ledger::OnSent, &record);
  topic.assign(topic.size(), '!');
  payload.assign(payload.size(), '!');
  record.ledger->Answered(record, result);
  return result;
}

NvDsMsgApiErrorType Link::SendAsync(char* topic, std::string_view payload,
                                    nvds_msgapi_send_cb_t callback, void* user) const {
  Counted scope(ThisThread().send);
  return adaptor_->f.send_async(handle_, topic, Bytes(payload), payload.size(), callback, user);
}

NvDsMsgApiErrorType Link::Subscribe(const std::vector<std::string>& topics,
                                    nvds_msgapi_subscribe_request_cb_t callback, void* user) const {
  std::vector<std::string> copies = topics;
  std::vector<char*> pointers;
  for (std::string& topic : copies) pointers.push_back(topic.data());
  Counted scope(ThisThread().subscribe);
  return adaptor_->f.subscribe(handle_, pointers.data(), static_cast<int>(pointers.size()),
                               callback, user);
}

NvDsMsgApiErrorType Link::Reload(const std::string& connection, const std::string& config) const {
  return adaptor_->f.reload(handle_, Translated(FileOf(*adaptor_), connection).c_str(),
                            config.c_str());
}

void Link::DoWork() const {
  Counted scope(ThisThread().work);
  adaptor_->f.do_work(handle_);
}

NvDsMsgApiErrorType Link::Disconnect() const {
  Counted scope(ThisThread().disconnect);
  return adaptor_->f.disconnect(handle_);
}

Stats Link::GetStats() const {
  std::string text(16384, '\0');
  const size_t length = adaptor_->f.stats(handle_, text.data(), text.size());
  if (length == 0 || length >= text.size()) throw std::runtime_error("dsmsg_stats gave nothing");
  text.resize(length);
  return Stats::Parse(text);
}

}  // namespace dsmsg::conformance
