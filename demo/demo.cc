// SPDX-License-Identifier: Apache-2.0
// dsmsg-demo: finds people in a video, sends what it found to a broker through dsmsgconv and
// dsmsgbroker, and shows what an independent consumer receives from that broker. make demo builds
// what it needs and runs it.
//
// Threads: the main one runs the pipeline and the display, a second one the consumer.
#include <gst/gst.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "consumer.h"
#include "options.h"
#include "outage.h"
#include "pipeline.h"
#include "recording.h"
#include "table.h"
#include "tally.h"
#include "target.h"

namespace dsmsg_demo {
namespace {

using dsmsg::Result;
using dsmsg::Status;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr char kTopic[] = "dsmsg-demo";
// How long after the last acknowledgement the consumer may take for the rest.
constexpr std::chrono::seconds kLastMessages{10};

volatile std::sig_atomic_t interrupts = 0;

void OnSignal(int) { interrupts = interrupts + 1; }

void HandleSignals() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;  // without SA_RESTART: waits end
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;  // a broker process that died shows in its missing answer
  sigaction(SIGPIPE, &action, nullptr);
}

Result<std::unique_ptr<Target>> StartTarget(const DemoOptions& options) {
  if (options.broker == "mock") return StartMockKafka(kTopic);
  const ServerKind& server = *FindServer(options.broker);
  if (server.kind != nullptr) {
    return StartServer(options.broker, server, options.python, options.source + "/python");
  }
  auto none = std::make_unique<Target>();  // the consumer is the other end
  none->adaptor = options.broker;
  return none;
}

/// Reads from the broker into a tally and a recording, on a thread of its own, until it is
/// destroyed.
class Reader {
 public:
  Reader(std::unique_ptr<Consumer> consumer, Tally* tally, Recording* recording)
      : consumer_(std::move(consumer)),
        tally_(tally),
        recording_(recording),
        thread_([this] { Loop(); }) {}
  ~Reader() {
    stop_.store(true);
    thread_.join();
  }

 private:
  void Loop() {
    while (!stop_.load()) {
      const Status status = consumer_->Poll(milliseconds(100), [this](std::string_view payload) {
        tally_->Add(payload, std::chrono::system_clock::now());
        recording_->Add(payload);
      });
      if (!status.ok()) {
        std::fprintf(stderr, "%s\n", status.message().c_str());
        return;
      }
    }
  }

  const std::unique_ptr<Consumer> consumer_;
  Tally* const tally_;
  Recording* const recording_;
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses the others
};

/// Runs the pipeline to its end, or to Ctrl-C; a second Ctrl-C does not wait for messages on their
/// way.
Status Run(DemoPipeline& pipeline, Outage& outage, const Tally& tally, Table& table) {
  bool asked = false;
  while (interrupts < 2) {
    if (interrupts == 1 && !asked) {
      asked = true;
      pipeline.RequestEnd();
    }
    const Result<bool> ended = pipeline.Poll(milliseconds(50));
    if (!ended.ok()) return ended.status();
    outage.Update(asked);
    if (!outage.state().status.ok()) return outage.state().status;
    table.SetSize(pipeline.size());
    table.Update(pipeline.counts(), outage.state(), tally);
    if (ended.value()) break;
  }
  const auto deadline = steady_clock::now() + kLastMessages;
  while (interrupts < 2 && tally.received() < pipeline.counts().acknowledged &&
         steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(20));
    table.Update(pipeline.counts(), outage.state(), tally);
  }
  return {};
}

int Fail(const Status& status) {
  std::fprintf(stderr, "demo: %s\n", status.message().c_str());
  return 1;
}

void SayHowToLook(const DemoOptions& options) {
  std::printf(
      "Events and pictures on a page:\n  PYTHONPATH=%s/python %s -m dsmsg view --messages "
      "%s/messages.jsonl --evidence %s --space %s/demo/space.yaml\n",
      options.source.c_str(), options.python.c_str(), options.events.c_str(),
      PictureFolder(options).c_str(), options.source.c_str());
}

int Main(int argc, char** argv) {
  Result<DemoOptions> options = ParseOptions(argc, argv);
  if (!options.ok()) return Fail(options.status());
  HandleSignals();
  if (isatty(STDOUT_FILENO) != 0) setenv("DSMSG_LOG", "error", 0);  // the table says it in place
  UseBuildTreePlugins();
  gst_init(nullptr, nullptr);

  Result<std::unique_ptr<Target>> target = StartTarget(options.value());
  if (!target.ok()) return Fail(target.status());
  Target& broker = *target.value();
  Result<std::unique_ptr<Consumer>> consumer = OpenConsumer(broker, kTopic);
  if (!consumer.ok()) return Fail(consumer.status());
  std::printf("broker:   %s\n", broker.title.c_str());
  std::printf("consumer: reads topic %s with the client library alone\n", kTopic);
  std::printf("pipeline: %s ! %s ! dsmsgconv ! dsmsgbroker adaptor=%s\n", options->video.c_str(),
              options->detector.c_str(), broker.adaptor.c_str());
  std::printf("Ctrl-C ends it.\n\n");
  std::fflush(stdout);
  if (interrupts > 0) return 130;

  Tally tally;
  Recording recording;
  if (!options->events.empty()) {
    const Status opened = recording.Open(options->events + "/messages.jsonl", kTopic);
    if (!opened.ok()) return Fail(opened);
  }
  const Reader reader(std::move(consumer.value()), &tally, &recording);
  Outage outage(broker, options->frames, options->outage);
  Result<std::unique_ptr<DemoPipeline>> pipeline =
      DemoPipeline::Start(options.value(), broker, kTopic, outage);
  if (!pipeline.ok()) return Fail(pipeline.status());
  Table table(broker.title, options->frames);
  if (!options->events.empty()) {
    auto rules = dsmsg::space::Rules::Load(options->source + "/demo/space.yaml");
    if (!rules.ok()) return Fail(rules.status());
    table.ShowScene(std::move(rules.value()));
  }
  const Status status = Run(*pipeline.value(), outage, tally, table);
  if (!status.ok()) return Fail(status);
  const uint64_t lost = table.Finish(pipeline.value()->counts(), outage.state(), tally);
  if (!options->events.empty()) SayHowToLook(options.value());
  return lost == 0 ? 0 : 1;
}

}  // namespace
}  // namespace dsmsg_demo

int main(int argc, char** argv) { return dsmsg_demo::Main(argc, argv); }
