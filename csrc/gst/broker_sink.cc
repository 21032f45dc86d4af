// SPDX-License-Identifier: Apache-2.0
#include "gst/broker_sink.h"

#include <string_view>
#include <utility>

#include "gst/batch_payloads.h"
#include "gst/converter_state.h"
#include "gst/late_change.h"
#include "gst/sink_topic.h"

GST_DEBUG_CATEGORY_EXTERN(dsmsg_broker_debug);
#define GST_CAT_DEFAULT dsmsg_broker_debug

namespace dsmsg {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::minutes kTemplateWarnEvery{1};

/// The element's object lock for a scope.
class ObjectLock {
 public:
  explicit ObjectLock(void* object) : object_(GST_OBJECT(object)) { GST_OBJECT_LOCK(object_); }
  ~ObjectLock() { GST_OBJECT_UNLOCK(object_); }
  ObjectLock(const ObjectLock&) = delete;
  ObjectLock& operator=(const ObjectLock&) = delete;

 private:
  GstObject* const object_;
};

}  // namespace

BrokerSink::~BrokerSink() {
  if (last_stats_ != nullptr) gst_structure_free(last_stats_);
}

// ---------------------------------------------------------------- properties

bool BrokerSink::SetProperty(guint id, const GValue* value, bool* late) {
  const ObjectLock lock(element_);
  const SinkSettings before = settings_;
  if (!SetSinkProperty(&settings_, id, value)) return false;
  *late = HasReadSettings(GST_ELEMENT(element_)) && !(settings_ == before);
  return true;
}

bool BrokerSink::GetProperty(guint id, GValue* value) {
  if (id == kPropStats) {
    g_value_take_boxed(value, Stats());
    return true;
  }
  const ObjectLock lock(element_);
  return GetSinkProperty(settings_, id, value);
}

std::shared_ptr<SendEngine> BrokerSink::Engine() const {
  const ObjectLock lock(element_);
  return engine_;
}

GstStructure* BrokerSink::Stats() const {
  std::shared_ptr<SendEngine> engine;
  std::shared_ptr<RenderCounters> counters;
  {
    const ObjectLock lock(element_);
    if (engine_ == nullptr && last_stats_ != nullptr) return gst_structure_copy(last_stats_);
    engine = engine_;
    counters = counters_;
  }
  if (engine == nullptr) return MakeSinkStats(*counters, {}, {});
  return MakeSinkStats(*counters, engine->counters(), engine->AdaptorStats());
}

// ---------------------------------------------------------------- start

bool BrokerSink::Start() {
  SinkSettings settings;
  {
    const ObjectLock lock(element_);
    settings = settings_;
    counters_ = std::make_shared<RenderCounters>();
    g_clear_pointer(&last_stats_, gst_structure_free);
  }
  started_with_ = settings;
  comp_id_ = settings.comp_id;
  flush_timeout_ = milliseconds(settings.flush_timeout_ms);
  input_.Restart();
  said_refusal_ = false;
  foreign_.clear();
  next_template_warning_ = {};
  return Check(settings) && MakeTemplate(settings) && Connect(settings);
}

bool BrokerSink::Renew() {
  bool renew = false;
  {
    const ObjectLock lock(element_);
    renew = engine_ == nullptr || !(settings_ == started_with_);
  }
  if (renew && !(Stop() && Start())) return false;
  reporter_->StartBegins();
  return true;
}

bool BrokerSink::Check(const SinkSettings& s) {
  if (s.proto_lib.empty() && s.adaptor.empty()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("No adaptor is named: set proto-lib to its file (libnvds_<name>_proto.so) "
                       "or adaptor to its "
                       "short name, for example adaptor=kafka"),
                      (nullptr));
    return false;
  }
  if (!s.proto_lib.empty() && !s.adaptor.empty()) {
    GST_ELEMENT_WARNING(
        element_, RESOURCE, SETTINGS,
        ("Both proto-lib and adaptor are set: proto-lib=%s is used", s.proto_lib.c_str()),
        (nullptr));
  }
  if (s.conn_str.empty() && s.config.empty()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("The broker's address is missing: set conn-str, for example "
                       "conn-str=\"localhost;9092\", or "
                       "config to the adaptor's configuration file with hostname and port"),
                      (nullptr));
    return false;
  }
  return true;
}

bool BrokerSink::MakeTemplate(const SinkSettings& s) {
  template_.reset();
  if (s.topic_template.empty()) return true;
  Result<Template> compiled = Template::Compile(s.topic_template);
  if (!compiled.ok()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("topic-template: %s", compiled.status().message().c_str()), (nullptr));
    return false;
  }
  template_ = std::move(compiled.value());
  return true;
}

bool BrokerSink::Connect(const SinkSettings& s) {
  auto library = host::AdaptorLibrary::Load(s.proto_lib.empty() ? s.adaptor : s.proto_lib);
  if (!library.ok()) {
    GST_ELEMENT_ERROR(element_, LIBRARY, INIT, ("%s", library.status().message().c_str()),
                      ("from the property %s", s.proto_lib.empty() ? "adaptor" : "proto-lib"));
    return false;
  }
  const host::AdaptorLibrary& adaptor = *library.value();
  topic_ = s.topic;
  if (topic_.empty() && !adaptor.ours()) topic_ = TopicOfConnStr(s.conn_str, adaptor.protocol());

  reporter_ = std::make_unique<SinkReporter>(GST_ELEMENT(element_), s);
  SendEngine::Options options;
  options.library = library.value();
  options.conn_str = s.conn_str;
  options.config = s.config;
  options.sleep = milliseconds(s.sleep_ms);
  options.flush_timeout = flush_timeout_;
  options.on_failure = [reporter = reporter_.get()](bool of_message) {
    reporter->NoteFailure(of_message);
  };
  auto engine = SendEngine::Start(std::move(options));
  if (!engine.ok()) {
    reporter_.reset();
    const bool refused = engine.status().code() == Code::kUnavailable && !adaptor.ours();
    // The connection string itself may contain a password; the adaptor's text names the host.
    GST_ELEMENT_ERROR(element_, RESOURCE, OPEN_WRITE,
                      ("Cannot connect through the %s adaptor: %s%s%s", adaptor.protocol().c_str(),
                       engine.status().message().c_str(), refused ? "; check the property " : "",
                       !refused             ? ""
                       : s.conn_str.empty() ? "config"
                                            : "conn-str"),
                      ("adaptor %s, config %s", adaptor.path().c_str(),
                       s.config.empty() ? "-" : s.config.c_str()));
    return false;
  }
  GST_INFO_OBJECT(element_, "connected through %s (%s)", adaptor.path().c_str(),
                  adaptor.protocol().c_str());
  std::shared_ptr<SendEngine> shared = std::move(engine.value());
  if (!CheckSinkTopic(GST_ELEMENT(element_), s, topic_, template_ ? &*template_ : nullptr,
                      *shared)) {
    (void)shared->Stop();
    reporter_.reset();
    return false;
  }
  reporter_->Start([shared] { return shared->TakeFailures(); }, [this] { return Stats(); });
  if (gst_base_sink_is_async_enabled(element_) != FALSE) reporter_->AwaitBegins();
  const ObjectLock lock(element_);
  engine_ = std::move(shared);
  return true;
}

// ---------------------------------------------------------------- stop

bool BrokerSink::Stop() {
  const std::shared_ptr<SendEngine> engine = Engine();
  if (engine == nullptr) return true;
  const std::string adaptor_stats = engine->AdaptorStats();
  const Status status = engine->Stop();
  if (!status.ok())
    GST_ELEMENT_WARNING(element_, RESOURCE, CLOSE, ("%s", status.message().c_str()), (nullptr));
  reporter_->Finish();
  GstStructure* stats = MakeSinkStats(*counters_, engine->counters(), adaptor_stats);
  GST_INFO_OBJECT(element_, "stopped: %" GST_PTR_FORMAT, stats);
  {
    const ObjectLock lock(element_);
    std::swap(last_stats_, stats);
    engine_.reset();
  }
  if (stats != nullptr) gst_structure_free(stats);
  reporter_.reset();
  template_.reset();
  return true;
}

void BrokerSink::Unlock() {
  if (reporter_) reporter_->PrerollEnds();
  if (const auto engine = Engine()) engine->SetInterrupted(true);
}

void BrokerSink::UnlockStop() {
  if (const auto engine = Engine()) engine->SetInterrupted(false);
}

// GStreamer calls unlock_stop before it is in PAUSED, and may let a waiting render continue
// although PLAYING is already over. A render that then waited for the adaptor would hold the
// preroll lock and block the next change, so the engine does not wait at all between these two.
void BrokerSink::Pausing() {
  if (const auto engine = Engine()) engine->SetPaused(true);
}

void BrokerSink::Playing() {
  const auto engine = Engine();
  if (engine == nullptr) return;
  // While the engine does not wait, no thread holds this lock for long. Take the preroll lock: a
  // render() told not to wait holds it until it blocks on the preroll condition, and GStreamer's
  // signal may already have fired.
  GST_BASE_SINK_PREROLL_LOCK(element_);
  engine->SetPaused(false);
  GST_BASE_SINK_PREROLL_SIGNAL(element_);
  GST_BASE_SINK_PREROLL_UNLOCK(element_);
}

// ---------------------------------------------------------------- streaming

void BrokerSink::Preroll() { reporter_->PrerollBegins(); }

GstFlowReturn BrokerSink::Render(GstBuffer* buffer) {
  reporter_->PrerollEnds();
  if (reporter_->failed()) {
    reporter_->ReportNow();
    return GST_FLOW_ERROR;
  }
  ++counters_->rendered;
  uint64_t found = 0;
  GstFlowReturn result = SendPayloads(buffer, &found);
  if (result == GST_FLOW_OK) result = SendDeepStreamPayloads(buffer, &found);
  if (result == GST_FLOW_OK && found == 0 && input_.own_bytes()) result = SendOwnBytes(buffer);
  if (!said_refusal_) input_.Rendered(*counters_);
  return result;
}

GstFlowReturn BrokerSink::RenderLate(GstBuffer* messages) {
  uint64_t found = 0;
  return SendPayloads(messages, &found);
}

GstFlowReturn BrokerSink::SendPayloads(GstBuffer* buffer, uint64_t* found) {
  gpointer state = nullptr;
  while (const DsmsgPayloadMeta* meta = gst_buffer_iterate_dsmsg_payload_meta(buffer, &state)) {
    ++*found;
    if (Filtered(meta->component_id)) continue;
    OutPayload payload;
    payload.bytes.reset(g_bytes_ref(meta->payload));
    if (meta->partition_key != nullptr) payload.key = meta->partition_key;
    payload.timestamp_ms = static_cast<int64_t>(meta->timestamp_ns / 1000000);
    const GstFlowReturn result = Send(std::move(payload));
    if (result != GST_FLOW_OK) return result;
  }
  return GST_FLOW_OK;
}

bool BrokerSink::Filtered(uint32_t component) {
  const bool all = comp_id_ == 0 || comp_id_ == G_MAXUINT;
  if (all || component == kDsmsgAnyComponent || component == comp_id_) return false;
  ++counters_->filtered;
  return true;
}

// The branches of a tee share DeepStream's batch: a message of another branch's converter is not
// for this sink. Without a converter upstream, everything is.
bool BrokerSink::OfAnotherBranch(uint64_t converter) {
  const auto [found, is_new] = foreign_.try_emplace(converter, false);
  if (is_new) {
    GstPad* pad = GST_BASE_SINK_PAD(element_);
    found->second = !MessagesOfConverter(pad, converter) && MessagesOfConverter(pad);
  }
  return found->second;
}

// What DeepStream's own converter attached, or dsmsgconv in its place.
GstFlowReturn BrokerSink::SendDeepStreamPayloads(GstBuffer* buffer, uint64_t* found) {
  if (!deepstream_.Find(buffer)) {
    if (said_refusal_ || deepstream_.refusal().empty()) return GST_FLOW_OK;
    said_refusal_ = true;
    GST_ELEMENT_WARNING(
        element_, STREAM, WRONG_TYPE, ("%s", deepstream_.refusal().c_str()),
        ("payloads of DeepStream's nvmsgconv are not sent; those of dsmsgconv are"));
    return GST_FLOW_OK;
  }
  for (const DeepStreamPayload& one : deepstream_.payloads()) {
    const BatchPayload* own = OwnBatchPayload(one.user_meta);
    if (own != nullptr && OfAnotherBranch(own->converter)) continue;
    ++*found;
    if (Filtered(own == nullptr ? one.component : own->component_id)) continue;
    OutPayload payload;
    payload.bytes.reset(g_bytes_new(one.data, one.size));
    if (own != nullptr && own->partition_key != nullptr) payload.key = own->partition_key;
    if (own != nullptr) payload.timestamp_ms = static_cast<int64_t>(own->timestamp_ns / 1000000);
    const GstFlowReturn result = Send(std::move(payload));
    if (result != GST_FLOW_OK) return result;
  }
  return GST_FLOW_OK;
}

GstFlowReturn BrokerSink::SendOwnBytes(GstBuffer* buffer) {
  gpointer data = nullptr;
  gsize size = 0;
  // A copy: an upstream pool may be waiting for the buffer.
  gst_buffer_extract_dup(buffer, 0, static_cast<gsize>(-1), &data, &size);
  OutPayload payload;
  payload.bytes.reset(g_bytes_new_take(data, size));
  input_.Sending(buffer, std::string_view(static_cast<const char*>(data), size));
  return Send(std::move(payload));
}

void BrokerSink::RenderTopic(OutPayload* payload) {
  payload->topic = topic_;
  if (!template_) return;
  gsize size = 0;
  const auto* data = static_cast<const char*>(g_bytes_get_data(payload->bytes.get(), &size));
  payload->topic.clear();
  if (template_->Render(std::string_view(data, size), topic_, &payload->topic)) return;
  const uint64_t missing = ++counters_->missing_fields;
  const auto now = steady_clock::now();
  if (now < next_template_warning_) return;
  next_template_warning_ = now + kTemplateWarnEvery;
  GST_ELEMENT_WARNING(element_, STREAM, FORMAT,
                      ("topic-template: %" G_GUINT64_FORMAT
                       " payloads so far had a field missing; the last one goes to "
                       "%s (a default is written ${field:-text})",
                       static_cast<guint64>(missing), payload->topic.c_str()),
                      (nullptr));
}

GstFlowReturn BrokerSink::Send(OutPayload payload) {
  if (g_bytes_get_size(payload.bytes.get()) == 0) return GST_FLOW_OK;
  const std::shared_ptr<SendEngine> engine = Engine();
  if (engine == nullptr) return GST_FLOW_FLUSHING;
  RenderTopic(&payload);
  while (true) {
    switch (engine->Offer(&payload)) {
      case SendEngine::Push::kTaken:
        ++counters_->payloads;
        return GST_FLOW_OK;
      case SendEngine::Push::kStopped:
        return GST_FLOW_FLUSHING;
      case SendEngine::Push::kInterrupted:
        break;
    }
    GST_DEBUG_OBJECT(element_, "interrupted while the queue is full: waiting for PLAYING");
    const GstFlowReturn result = gst_base_sink_wait_preroll(element_);
    if (result != GST_FLOW_OK) return result;
  }
}

bool BrokerSink::DrainAtEos() {
  const std::shared_ptr<SendEngine> engine = Engine();
  if (engine == nullptr) return true;
  if (!said_refusal_) input_.AtEnd(*counters_);
  auto deadline = steady_clock::now() + flush_timeout_;
  while (true) {
    switch (engine->Drain(deadline)) {
      case SendEngine::Drained::kAll:
        reporter_->ReportNow();  // before EOS is posted: many applications stop listening then
        return true;
      case SendEngine::Drained::kTimeout: {
        const SendEngine::Counters counters = engine->counters();
        GST_ELEMENT_WARNING(
            element_, RESOURCE, WRITE,
            ("End of stream: %" G_GUINT64_FORMAT
             " messages were not acknowledged within flush-timeout "
             "(%d ms)",
             static_cast<guint64>(counters.pending + counters.queued),
             static_cast<int>(flush_timeout_.count())),
            ("the adaptor keeps trying until its own flush-timeout when the pipeline is stopped"));
        return true;
      }
      case SendEngine::Drained::kInterrupted:
        break;
    }
    if (gst_base_sink_wait_preroll(element_) != GST_FLOW_OK) return false;
    deadline = steady_clock::now() + flush_timeout_;  // a pause does not count
  }
}

}  // namespace dsmsg
