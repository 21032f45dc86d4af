// SPDX-License-Identifier: Apache-2.0
// dsmsgconv: pictures of events in whole pipelines, with frames dropped on the way, and in a Redis
// server that stops, is gone, or wants another password.
#include <gmock/gmock.h>
#include <gst/app/gstappsrc.h>

#include <atomic>
#include <cstdio>

#include "evidence_support.h"
#include "msgconv/tests/json_check.h"
#include "support.h"
#include "support/server_process.h"

namespace dsmsg_test {
namespace {

using dsmsg::testing::FreePort;
using dsmsg::testing::ServerProcess;
using dsmsg::testing::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string OutputOf(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string text;
  char part[4096];
  for (size_t size = 0; (size = fread(part, 1, sizeof part, pipe)) > 0;) text.append(part, size);
  pclose(pipe);
  return text;
}

/// redis-server as packages bring it, and its command line to read with.
class Redis {
 public:
  explicit Redis(const std::string& password = "") : password_(password) { Start(); }
  void Start() {
    std::vector<std::string> words = {"redis-server",
                                      "--bind",
                                      "127.0.0.1",
                                      "--save",
                                      "",
                                      "--dir",
                                      folder_.path(),
                                      "--port",
                                      std::to_string(port_),
                                      "--logfile",
                                      folder_.File("log")};
    if (!password_.empty()) words.insert(words.end(), {"--requirepass", password_});
    ASSERT_TRUE(process.Start(words, [this] { return Ask("PING") == "PONG\n"; }));
  }
  /// The answer of a command, with a line break behind it.
  std::string Ask(const std::string& command) const {
    const std::string login = password_.empty() ? "" : " -a " + password_;
    return OutputOf("redis-cli -p " + std::to_string(port_) + login + " " + command +
                    " 2>/dev/null");
  }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

  ServerProcess process;

 private:
  const std::string password_;
  const TemporaryFolder folder_;
  const uint16_t port_ = FreePort();
};

/// appsrc, the converter between `before` and `after`, and the sink with the fake adaptor.
class EvidencePipeline {
 public:
  EvidencePipeline(const std::string& evidence, const std::string& before = "",
                   const std::string& after = "")
      : pipeline_("appsrc name=src format=time caps=\"" + CapsOf("I420") + "\" ! " + before +
                  "dsmsgconv name=conv payload-type=minimal " + evidence + " ! " + after +
                  "dsmsgbroker conn-str=h;1 topic=t " + fake_.proto_lib()) {
    pipeline_.Set(GST_STATE_PLAYING);
    source_ = gst_bin_get_by_name(GST_BIN(pipeline_.get()), "src");
  }
  ~EvidencePipeline() { gst_object_unref(source_); }
  EvidencePipeline(const EvidencePipeline&) = delete;
  EvidencePipeline& operator=(const EvidencePipeline&) = delete;

  void Push(unsigned number) {
    gst_app_src_push_buffer(GST_APP_SRC(source_), EventPicture(number, "I420"));
  }
  /// Ends the stream and waits for that.
  void End() {
    gst_app_src_end_of_stream(GST_APP_SRC(source_));
    GstMessage* const message = pipeline_.Pop(GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    ASSERT_NE(message, nullptr);
    EXPECT_EQ(GST_MESSAGE_TYPE(message), GST_MESSAGE_EOS) << TextOf(gst_message_ref(message)).text;
    gst_message_unref(message);
  }
  /// Ends the stream, and waits until the converter is at work on that.
  void BeginEnd() {
    GstElement* const converter = gst_bin_get_by_name(GST_BIN(pipeline_.get()), "conv");
    GstPad* const pad = gst_element_get_static_pad(converter, "sink");
    std::atomic<bool> ends{false};
    const auto probe = [](GstPad*, GstPadProbeInfo* info, gpointer flag) {
      if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS)
        *static_cast<std::atomic<bool>*>(flag) = true;
      return GST_PAD_PROBE_OK;
    };
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, probe, &ends, nullptr);
    gst_app_src_end_of_stream(GST_APP_SRC(source_));
    while (!ends) g_usleep(1000);
    while (GST_PAD_STREAM_TRYLOCK(pad)) {
      GST_PAD_STREAM_UNLOCK(pad);
      g_usleep(1000);
    }
    gst_object_unref(pad);
    gst_object_unref(converter);
  }
  std::vector<std::string> Messages() {
    return fake_.With([](fake::State& state) {
      std::vector<std::string> texts;
      for (const auto& message : state.messages) texts.push_back(message.payload);
      return texts;
    });
  }
  size_t Sent() { return fake_.Sent(); }

 private:
  Fake fake_;
  Pipeline pipeline_;
  GstElement* source_ = nullptr;
};

const rapidjson::Value& CropOf(const rapidjson::Document& message) {
  return At(At(message, {"objects"})[0], {"evidence", "crop"});
}

TEST(EvidencePipelines, EveryPictureIsThatOfItsMessageWhateverIsDropped) {
  const TemporaryFolder folder;
  for (const char* before :
       {"", "queue leaky=downstream max-size-buffers=2 ! ", "identity drop-probability=0.5 ! ",
        "videorate drop-only=true max-rate=10 ! "}) {
    EvidencePipeline pipeline("evidence=" + folder.path() + " evidence-config=margin=0;fsync=0",
                              before, "queue ! videoconvert ! video/x-raw,format=RGB ! ");
    for (unsigned number = 1; number <= 60; ++number) pipeline.Push(number);
    pipeline.End();
    const auto messages = pipeline.Messages();
    EXPECT_FALSE(messages.empty()) << before;
    int last = -1;
    for (const std::string& text : messages) {
      const auto message = ParseJson(text);
      const int number = std::stoi(Text(At(message, {"objects"})[0], {"id"}));
      EXPECT_GT(number, last) << before;
      last = number;
      ASSERT_EQ(Text(CropOf(message), {"state"}), "stored") << text;
      const std::string path = Text(CropOf(message), {"uri"}).substr(7);
      EXPECT_EQ(NumberIn(Decode(BytesOf(path)), 0, 0), number) << before;
    }
  }
}

TEST(EvidenceRedis, KeepsPicturesForATime) {
  const Redis redis;
  EvidencePipeline pipeline("evidence=" + redis.url() + " evidence-config=margin=0;ttl=1h");
  for (unsigned number = 1; number <= 5; ++number) pipeline.Push(number);
  pipeline.End();
  const auto messages = pipeline.Messages();
  ASSERT_EQ(messages.size(), 5U);
  for (unsigned number = 1; number <= 5; ++number) {
    const auto message = ParseJson(messages[number - 1]);
    ASSERT_EQ(Text(CropOf(message), {"state"}), "stored") << messages[number - 1];
    const std::string uri = Text(CropOf(message), {"uri"});
    EXPECT_THAT(uri, testing::StartsWith(redis.url() + "?key=evidence:"));
    const std::string key = uri.substr(uri.find('=') + 1);
    std::string jpeg = redis.Ask("GET " + key);
    ASSERT_EQ(static_cast<double>(jpeg.size() - 1), Number(CropOf(message), {"size"}));
    EXPECT_EQ(NumberIn(Decode(jpeg), 0, 0), static_cast<int>(number));
    const int left = std::stoi(redis.Ask("TTL " + key));
    EXPECT_GT(left, 0);
    EXPECT_LE(left, 3600);
  }
}

TEST(EvidenceRedis, AServerThatStopsHoldsUpNoMessage) {
  Redis redis;
  EvidencePipeline pipeline("evidence=" + redis.url() + " evidence-config=timeout=300ms");
  pipeline.Push(1);
  while (pipeline.Sent() < 1) {  // the next frames bring it along
    pipeline.Push(2);
    g_usleep(20000);
  }
  redis.process.Freeze();
  const size_t before = pipeline.Sent();
  for (unsigned number = 3; number < 40; ++number) pipeline.Push(number);
  pipeline.End();
  redis.process.Thaw();
  const auto messages = pipeline.Messages();
  EXPECT_GE(messages.size(), before + 37);
  const auto last = ParseJson(messages.back());
  EXPECT_EQ(Text(CropOf(last), {"state"}), "lost");
  EXPECT_THAT(Text(CropOf(last), {"reason"}), Not(testing::IsEmpty()));
}

/// Why the picture of a message was lost.
std::string ReasonIn(const std::string& text) {
  const auto message = ParseJson(text);
  EXPECT_EQ(Text(CropOf(message), {"state"}), "lost") << text;
  return Text(CropOf(message), {"reason"});
}

TEST(EvidenceRedis, AServerThatIsFullIsSaid) {
  const Redis redis;
  redis.Ask("CONFIG SET maxmemory 1");
  EvidencePipeline pipeline("evidence=" + redis.url() + " evidence-config=timeout=500ms");
  pipeline.Push(1);
  pipeline.End();
  const auto messages = pipeline.Messages();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_THAT(ReasonIn(messages[0]), AllOf(HasSubstr("option timeout"), HasSubstr("OOM")));
}

TEST(EvidenceRedis, AServerThatWasKilledIsSaidForEveryPicture) {
  Redis redis;
  EvidencePipeline pipeline("evidence=" + redis.url() + " evidence-config=timeout=100ms");
  pipeline.Push(1);
  while (pipeline.Sent() < 1) {
    pipeline.Push(2);
    g_usleep(20000);
  }
  redis.process.Kill();
  // Long enough for pictures to expire in the adaptor, too.
  for (unsigned number = 3; number < 40; ++number) {
    pipeline.Push(number);
    g_usleep(40000);
  }
  pipeline.End();
  const std::string reason = ReasonIn(pipeline.Messages().back());
  EXPECT_THAT(reason, testing::AnyOf(HasSubstr("cannot reach"), HasSubstr("is away")));
  EXPECT_THAT(reason, Not(HasSubstr("since connect")));
}

TEST(EvidenceRedis, APipelineStopsAlthoughItsEndWaitsForPictures) {
  EvidencePipeline pipeline("evidence=redis://127.0.0.1:" + std::to_string(FreePort()) +
                            " evidence-config=timeout=1h");
  pipeline.Push(1);
  pipeline.BeginEnd();
}

TEST(EvidenceRedis, AServerThatComesLaterGetsPicturesOfTheSpool) {
  Redis redis;
  redis.process.Kill();
  const TemporaryFolder spool;
  EvidencePipeline pipeline("evidence=" + redis.url() +
                            " evidence-config=margin=0;spool-dir=" + spool.path());
  for (unsigned number = 1; number <= 5; ++number) pipeline.Push(number);
  while (pipeline.Sent() < 5) {
    pipeline.Push(9);
    g_usleep(20000);
  }
  for (const std::string& text : pipeline.Messages())
    EXPECT_EQ(Text(CropOf(ParseJson(text)), {"state"}), "stored") << text;
  redis.Start();
  const std::string first = pipeline.Messages().front();
  const std::string uri = Text(CropOf(ParseJson(first)), {"uri"});
  const std::string key = uri.substr(uri.find('=') + 1);
  std::string jpeg;
  for (int i = 0; i < 600 && jpeg.size() < 100; ++i) {
    g_usleep(100000);
    jpeg = redis.Ask("GET " + key);
  }
  EXPECT_EQ(NumberIn(Decode(jpeg), 0, 0), 1);
  pipeline.End();
}

TEST(EvidenceRedis, AWrongPasswordIsSaid) {
  const Redis redis("right");
  const std::string url = "redis://:wrong@" + redis.url().substr(8);
  EvidencePipeline pipeline("evidence=" + url + " evidence-config=timeout=2s");
  pipeline.Push(1);
  pipeline.End();
  const auto messages = pipeline.Messages();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_THAT(messages[0], AllOf(HasSubstr(R"("state":"lost")"), HasSubstr("password"),
                                 Not(HasSubstr("wrong@"))));
}

}  // namespace
}  // namespace dsmsg_test
