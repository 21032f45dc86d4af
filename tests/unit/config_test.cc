// SPDX-License-Identifier: Apache-2.0
#include "core/options/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "core/options/config_parser.h"

namespace dsmsg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr OptionSpec kOwn[] = {
    {"proto-cfg", "pairs", "", "library settings"},
    {"keep-alive", "s(1,600)", "60", "keep alive"},
    {"socket_type", "enum(PUSH,PUB,REQ)", "PUSH", "socket"},
    {"payloadkey", "string", "metadata", "field name"},
    {"token", "string", "", "secret text", kOptSecret},
    {"secret-pairs", "pairs", "", "secret pairs", kOptSecret},
    {"later", "bool", "0", "of a version to come", kOptUnavailable},
    {"later-on", "bool", "1", "of a version to come", kOptUnavailable},
    {"later-name", "string", "", "of a version to come", kOptUnavailable},
    {"later-secret", "string", "", "of a version to come", kOptSecret | kOptUnavailable},
};

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() : table_(kOwn) {
    folder_ = ::testing::TempDir() + "dsmsg_config_XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr) std::abort();
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  Result<Config> Parse(std::string_view body) {
    return Config::Parse("[message-broker]\n" + std::string(body), "cfg.txt", table_);
  }
  Config Good(std::string_view body) {
    Result<Config> config = Parse(body);
    EXPECT_TRUE(config.ok()) << config.status().message();
    return config.ok() ? std::move(config.value()) : Config();
  }
  std::string Error(std::string_view body) {
    const Result<Config> config = Parse(body);
    EXPECT_FALSE(config.ok()) << body;
    return config.status().message();
  }
  std::string Write(const std::string& name, std::string_view text) {
    std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  const OptionTable table_;
  std::string folder_;
};

TEST_F(ConfigTest, CheckSaysWhatParseSaysWithoutThePlace) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"queue-size", "many"},
                                                        {"queue_size", "0"},
                                                        {"queue-size", ""},
                                                        {"keep-alive", "5 weeks"},
                                                        {"socket-type", "RAR"},
                                                        {"proto-cfg", "a='b"},
                                                        {"secret-pairs", "hush"},
                                                        {"topic", "${sensor.id"},
                                                        {"later", "1"},
                                                        {"later-secret", "hush"},
                                                        {"queue-size", std::string(200, '7')}}) {
    const Status status = CheckOption(table_, name, value);
    EXPECT_EQ("cfg.txt:2: " + status.message(), Error(name + "=\"" + value + "\""));
    EXPECT_THAT(status.message(), Not(HasSubstr("hush")));
    EXPECT_TRUE(CheckOption(table_, name, std::nullopt).ok());
  }
  EXPECT_TRUE(CheckOption(table_, "later-on", "yes").ok());
  EXPECT_TRUE(CheckOption(table_, "token", "${env:DSMSG_NOT_SET}").ok());
  EXPECT_THAT(CheckOption(table_, "token", "a\nb").message(), HasSubstr("control character"));
  EXPECT_THAT(CheckOption(table_, "keep-alife", "5").message(),
              HasSubstr("unknown option 'keep-alife' (did you mean keep-alive?)"));
}

TEST_F(ConfigTest, NoFileGivesDefaults) {
  const auto config = Config::Load("", table_);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->GetInt("queue-size"), 100000);
  EXPECT_EQ(config->GetBytes("queue-bytes"), uint64_t{256} << 20);
  EXPECT_EQ(config->GetMillis("connect-timeout"), Millis(5000));
  EXPECT_EQ(config->GetMillis("keep-alive"), Millis(60000));
  EXPECT_EQ(config->GetString("overflow"), "block");
  EXPECT_EQ(config->GetString("payloadkey"), "metadata");
  EXPECT_TRUE(config->GetBool("reconnect"));
  EXPECT_EQ(config->GetInt("port"), 0);
  EXPECT_FALSE(config->IsSet("queue-size"));
  EXPECT_TRUE(config->Has("queue-size"));
  EXPECT_FALSE(config->Has("nonsense"));
  EXPECT_FALSE(config->IsSet("nonsense"));
  EXPECT_THAT(config->warnings(), IsEmpty());
}

TEST_F(ConfigTest, ReadsAFileAsDeepStreamUsersHaveIt) {
  const std::string path =
      Write("cfg_kafka.txt",
            "# a comment\r\n; another\r\n\r\n[message-broker]\r\n"
            "proto-cfg = \"message.max.bytes=2000000;security.protocol=plaintext\"\r\n"
            "  ; indented comment\r\n  share-connection = 1\r\n\tconsumer=0\r\nkeep-alive=30\r\n");
  const auto config = Config::Load(path, table_);
  ASSERT_TRUE(config.ok()) << config.status().message();
  const Pairs expected = {{"message.max.bytes", "2000000"}, {"security.protocol", "plaintext"}};
  EXPECT_EQ(config->GetPairs("proto-cfg"), expected);
  EXPECT_TRUE(config->GetBool("share-connection"));
  EXPECT_EQ(config->GetMillis("keep-alive"), Millis(30000));
  EXPECT_THAT(config->warnings(), ElementsAre(path + ":8: unknown key consumer is ignored"));
}

TEST_F(ConfigTest, PairsAreSplitBeforeSecretsAreReplaced) {
  ::setenv("DSMSG_TEST_SECRET", "Endpoint=sb://h/;SharedAccessKey=x=;ssl.ca.location=/evil", 1);
  const std::string file = Write("secret", "it's;\"a=b\"\n");
  const Pairs expected = {
      {"sasl.password", ::getenv("DSMSG_TEST_SECRET")}, {"x", "it's;\"a=b\""}, {"y", "${env:Z}"}};
  const std::string pairs =
      "sasl.password=${env:DSMSG_TEST_SECRET};x=${file:" + file + "};y=$${env:Z}";
  EXPECT_EQ(Good("secret-pairs = " + pairs).GetPairs("secret-pairs"), expected);
  EXPECT_EQ(Good("secret-pairs = \"" + pairs + "\"").GetPairs("secret-pairs"), expected);
  EXPECT_THAT(Good("secret-pairs = " + pairs).files(), ElementsAre(file));
  EXPECT_THAT(Error("secret-pairs = ${env:DSMSG_TEST_SECRET}"),
              AllOf(HasSubstr("cfg.txt:2: secret-pairs: element 1 is not key=value"),
                    HasSubstr("stand for the value of one pair"), Not(HasSubstr("evil"))));
  // Templates are not secrets.
  EXPECT_EQ(Good("proto-cfg = a=${env:DSMSG_TEST_SECRET}").GetPairs("proto-cfg"),
            (Pairs{{"a", "${env:DSMSG_TEST_SECRET}"}}));
}

// Azure Event Hubs takes its connection string as password.
TEST_F(ConfigTest, AConnectionStringIsTheValueOfAPair) {
  const std::string key =
      "Endpoint=sb://n.example/;SharedAccessKeyName=Root;SharedAccessKey=aB+/c=";
  const Pairs expected = {{"sasl.username", "$ConnectionString"}, {"sasl.password", key}};
  for (const std::string& value :
       {"sasl.username=$ConnectionString;sasl.password=\"" + key + "\"",
        "'sasl.username=$ConnectionString;sasl.password=\"" + key + "\"'",
        "\"sasl.username=$ConnectionString;sasl.password='" + key + "'\""}) {
    EXPECT_EQ(Good("secret-pairs = " + value).GetPairs("secret-pairs"), expected) << value;
  }
  EXPECT_EQ(Good("secret-pairs = a='" + key + "'").Canonical(),
            Good("secret-pairs = a=\"" + key + "\"").Canonical());
}

TEST_F(ConfigTest, TlsOptionsWithoutTlsAreReported) {
  EXPECT_THAT(
      Good("tls-keyfile=/key\nenable_tls=0\ntls-cafile=/ca.pem\ntls-capath=").warnings(),
      ElementsAre("cfg.txt:3: enable-tls=0: messages are sent in clear text, and these have "
                  "no effect: tls-cafile, tls-keyfile (set enable-tls=1 for TLS)"));
  EXPECT_THAT(Good("enable-tls=0\ntls-cafile=").warnings(), IsEmpty());
  EXPECT_THAT(Good("enable-tls=1\ntls-cafile=/ca.pem").warnings(), IsEmpty());
  EXPECT_THAT(Good("tls-cafile=/ca.pem").warnings(), IsEmpty()) << "an error of the adaptor";
}

TEST_F(ConfigTest, ACommentAfterAValueIsReported) {
  const auto said = [](const std::string& name) {
    return "cfg.txt:2: " + name +
           ": what looks like a comment after the value is read as part of it (move the comment to "
           "its own line, or put the value in quotes if it belongs to it)";
  };
  EXPECT_THAT(Good("tls-cafile=/ca.pem   # note").warnings(), ElementsAre(said("tls-cafile")));
  EXPECT_EQ(Good("tls-cafile=/ca.pem   # note").GetString("tls-cafile"), "/ca.pem   # note");
  EXPECT_THAT(Good("tls-cafile=/ca.pem\t;note").warnings(), ElementsAre(said("tls-cafile")));
  EXPECT_THAT(Good("topic = a/b # note").warnings(), ElementsAre(said("topic")));
  EXPECT_THAT(Good("token = hunter2 # note").warnings(), ElementsAre(said("token")));
  EXPECT_THAT(Good("token = \"hunter2\" # note").warnings(), ElementsAre(said("token")));
  EXPECT_THAT(Good("proto-cfg = a=1;b=2 # note").warnings(), ElementsAre(said("proto-cfg")));
  for (const char* fine : {"tls-cafile='/a # b'", "topic = a#b;c", "proto-cfg = a=1 ; b=2 ;c=3",
                           "proto-cfg = a='x # y';b=\"p ;#q\"", "token = \"a # b\"", "token=#a"}) {
    EXPECT_THAT(Good(fine).warnings(), IsEmpty()) << fine;
  }
  // Where it cannot be part of the value.
  for (const char* wrong : {"port = 9092 # the port", "reconnect = 1 ; yes", "connect = lazy # x",
                            "tls-cafile = \"/ca.pem\" # note", "proto-cfg = a='x' # note"}) {
    EXPECT_THAT(Error(wrong), HasSubstr("(a comment needs a line of its own)")) << wrong;
  }
}

// It would count as 0, and turn a switch off.
TEST_F(ConfigTest, AnEmptyValueInQuotesIsRefusedForNumbersSwitchesAndChoices) {
  for (const char* empty : {"queue-size = \"\"", "reconnect = ''", "connect = \"\""}) {
    EXPECT_THAT(Error(empty), HasSubstr("there is no value (leave it out for the default"))
        << empty;
  }
}

TEST_F(ConfigTest, QuotesAndBlanks) {
  EXPECT_EQ(Good("payloadkey = \"a b\"").GetString("payloadkey"), "a b");
  EXPECT_EQ(Good("payloadkey = 'a \"b'").GetString("payloadkey"), "a \"b");
  EXPECT_EQ(Good("payloadkey =   a b  ").GetString("payloadkey"), "a b");
  EXPECT_EQ(Good("payloadkey = \" a \"").GetString("payloadkey"), " a ");
  EXPECT_EQ(Good("payloadkey = a\\sb\\n\\\\").GetString("payloadkey"), "a\\sb\\n\\\\");
  EXPECT_EQ(Good("payloadkey = a=b;c#d").GetString("payloadkey"), "a=b;c#d");
  EXPECT_EQ(Good("payloadkey = Größe").GetString("payloadkey"), "Größe");
  EXPECT_EQ(Good("queue-size = \"5\"").GetInt("queue-size"), 5);
  EXPECT_THAT(Error("payloadkey = \"abc"), HasSubstr("cfg.txt:2: payloadkey: the quote"));
  // No text means "not set", an empty pair of quotes is an empty text.
  const Config unset = Good("payloadkey =\nqueue-size =\nsocket_type=");
  EXPECT_EQ(unset.GetString("payloadkey"), "metadata");
  EXPECT_FALSE(unset.IsSet("payloadkey"));
  EXPECT_EQ(unset.GetInt("queue-size"), 100000);
  const Config empty = Good("payloadkey = \"\"");
  EXPECT_EQ(empty.GetString("payloadkey"), "");
  EXPECT_TRUE(empty.IsSet("payloadkey"));
}

TEST_F(ConfigTest, DashesAndUnderscoresAreTheSame) {
  const Config config = Good("queue_size=7\nsocket-type=pub\n");
  EXPECT_EQ(config.GetInt("queue-size"), 7);
  EXPECT_EQ(config.GetInt("queue_size"), 7);
  EXPECT_EQ(config.GetString("socket_type"), "PUB");
  EXPECT_TRUE(config.IsSet("socket_type"));
  EXPECT_THAT(config.warnings(), IsEmpty());
}

TEST_F(ConfigTest, ErrorsNameFileLineKeyValueAndWhatIsAllowed) {
  EXPECT_EQ(Error("\n# x\nqueue-size = many\n"),
            "cfg.txt:4: queue-size = many: must be a whole number from 1 to 10000000");
  EXPECT_EQ(Error("queue-size = 0"),
            "cfg.txt:2: queue-size = 0: must be a whole number from 1 to 10000000");
  EXPECT_THAT(Error("port = 9092 # the port"), HasSubstr("a comment needs a line of its own"));
  EXPECT_THAT(Error("connect = maybe"), HasSubstr("connect = maybe: must be one of strict"));
  EXPECT_THAT(Error("topic = a/${b"), HasSubstr("cfg.txt:2: topic = a/${b: at character 3"));
  EXPECT_LT(Error("queue-size = " + std::string(100000, 'x')).size(), 300u);
}

TEST_F(ConfigTest, SyntaxErrorsNameTheLineAndRepeatNoContents) {
  EXPECT_EQ(Error("queue-size=1\nhunter2\n"),
            "cfg.txt:3: is not a [group], key = value or # comment");
  EXPECT_THAT(Error("=5"), HasSubstr("cfg.txt:2: is not a [group]"));
  EXPECT_THAT(Error("[broken"), HasSubstr("cfg.txt:2: a group is written [name]"));
  EXPECT_THAT(Error("[a] # b"), HasSubstr("cfg.txt:2: a group is written [name]"));
  EXPECT_THAT(Error("[]"), HasSubstr("cfg.txt:2: a group is written [name]"));
  EXPECT_THAT(Error("["), HasSubstr("cfg.txt:2: a group is written [name]"));
  EXPECT_THAT(Error("a[b]=5"), HasSubstr("cfg.txt:2: a key must not contain brackets"));
  EXPECT_THAT(Error("payloadkey = a\x01z"), HasSubstr("cfg.txt:2: contains a control character"));
  EXPECT_THAT(Error("payloadkey = \xff\xfe"), HasSubstr("cfg.txt:2: is not valid UTF-8"));
  EXPECT_THAT(Error(std::string("payloadkey = a\0b", 16)), HasSubstr("cfg.txt:2: contains a NUL"));
  const auto no_group = Config::Parse("port = 1\n", "cfg.txt", table_);
  ASSERT_FALSE(no_group.ok());
  EXPECT_EQ(no_group.status().message(),
            "cfg.txt:1: key port comes before any group (put the line [message-broker] above it)");
}

TEST_F(ConfigTest, CommentsMayHoldAnything) {
  EXPECT_EQ(Good("# \xff\xfe latin\n; \x01\nqueue-size=3").GetInt("queue-size"), 3);
}

TEST_F(ConfigTest, Warnings) {
  EXPECT_THAT(Good("Queue_Sze = 5").warnings(),
              ElementsAre(HasSubstr("cfg.txt:2: unknown key Queue_Sze is ignored")));
  EXPECT_THAT(
      Good("queue-sze = 5").warnings(),
      ElementsAre("cfg.txt:2: unknown key queue-sze is ignored (did you mean queue-size?)"));
  const Config twice = Good("queue-size = 5\n\nqueue_size = 6\n");
  EXPECT_EQ(twice.GetInt("queue-size"), 6);
  EXPECT_THAT(twice.warnings(), ElementsAre("cfg.txt:4: key queue_size is set again (also on line "
                                            "2): the last one counts"));
  EXPECT_THAT(Good("[sensor0]\nqueue-size=9\n").warnings(),
              ElementsAre(HasSubstr("cfg.txt:2: unknown group [sensor0]")));
  EXPECT_EQ(Good("[sensor0]\nqueue-size=9\n").GetInt("queue-size"), 100000);
  EXPECT_THAT(Good("[nvmsgbroker]\nretry-interval=2\n").warnings(), IsEmpty());
  const Config again = Good("queue-size=5\n[nvmsgbroker]\n[message-broker]\nport=6\n");
  EXPECT_EQ(again.GetInt("queue-size"), 5);
  EXPECT_EQ(again.GetInt("port"), 6);
  EXPECT_THAT(
      again.warnings(),
      ElementsAre(HasSubstr("cfg.txt:4: group [message-broker] appears again (first on line 1)")));
  EXPECT_THAT(
      Good("password = hunter2").warnings(),
      ElementsAre("cfg.txt:2: password in the file is deprecated: set PASSWORD_<PROTOCOL> in "
                  "the environment"));
}

TEST_F(ConfigTest, UnavailableOptionsAreRefusedUnlessSetToTheDefault) {
  EXPECT_THAT(Error("later = 1"),
              HasSubstr("cfg.txt:2: later = 1: not available: of a version to come (remove"));
  EXPECT_THAT(Error("later-on = no"), HasSubstr("not available: of a version to come"));
  const std::string secret = Error("later-secret = hunter2");
  EXPECT_THAT(secret, HasSubstr("later-secret: not available: of a"));
  EXPECT_THAT(secret, Not(HasSubstr("hunter2")));
  const Config config = Good(
      "later = false\nmetrics-interval=5000\n"
      "later-name =\noverflow = latest-per-key");
  EXPECT_EQ(config.GetString("overflow"), "latest-per-key");
}

TEST_F(ConfigTest, SecretsAreExpandedAndNeverShown) {
  ::setenv("DSMSG_TEST_SECRET", "s3cret", 1);
  ::unsetenv("DSMSG_TEST_MISSING");
  const std::string file = Write("secret", "from-file\r\n");
  EXPECT_EQ(Good("token = ${env:DSMSG_TEST_SECRET}").GetString("token"), "s3cret");
  EXPECT_EQ(Good("token = a-${env:DSMSG_TEST_SECRET}-${env:DSMSG_TEST_SECRET}").GetString("token"),
            "a-s3cret-s3cret");
  EXPECT_EQ(Good("token = \"${file:" + file + "}\"").GetString("token"), "from-file");
  EXPECT_THAT(Good("token = \"x${file:" + file + "}\"\npassword = ${file:" + file + "}").files(),
              ElementsAre(file, file));
  EXPECT_THAT(Good("token = ${env:DSMSG_TEST_SECRET}$${file:/x}").files(), IsEmpty());
  EXPECT_EQ(Good("token = $${env:X}$$${HOME}").GetString("token"), "${env:X}$${HOME}");
  EXPECT_EQ(Good("token = \"pw").GetString("token"), "\"pw");
  EXPECT_EQ(Good("payloadkey = ${env:DSMSG_TEST_SECRET}").GetString("payloadkey"),
            "${env:DSMSG_TEST_SECRET}");
  EXPECT_EQ(Error("token = xx${env:DSMSG_TEST_MISSING}"),
            "cfg.txt:2: token: environment variable DSMSG_TEST_MISSING is not set");
  EXPECT_THAT(Error("token = ${file:/does/not/exist}"),
              HasSubstr("token: file \"/does/not/exist\": cannot be opened: No such file"));
  const std::string open = Error("token = hunter2${env:");
  EXPECT_THAT(open, HasSubstr("${env:NAME}"));
  EXPECT_THAT(open, Not(HasSubstr("hunter2")));
  EXPECT_THAT(Error("secret-pairs = a=1;hunter2"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(Error("proto-cfg = sasl.password=hunter2;x"), Not(HasSubstr("hunter2")));
  EXPECT_THAT(Error("token = ${file:" + Write("nul", std::string("a\0b", 3)) + "}"),
              HasSubstr("NUL"));
}

TEST_F(ConfigTest, EnvironmentReplacesUserAndPassword) {
  ::setenv("USER_DSMSGTEST", "env-user", 1);
  ::setenv("PASSWORD_DSMSGTEST", "env-pass ${env:HOME}", 1);
  Config config = Good("username = file-user\npassword = file-pass");
  config.ApplyEnvironment("DSMSGTEST");
  EXPECT_EQ(config.GetString("username"), "env-user");
  EXPECT_EQ(config.GetString("password"), "env-pass ${env:HOME}");  // taken as it is
  Config unset = Good("");
  unset.ApplyEnvironment("DSMSGTEST");
  EXPECT_TRUE(unset.IsSet("password"));
  ::setenv("USER_DSMSGTEST", "", 1);
  ::unsetenv("PASSWORD_DSMSGTEST");
  Config kept = Good("username = file-user");
  kept.ApplyEnvironment("DSMSGTEST");
  EXPECT_EQ(kept.GetString("username"), "file-user");
  EXPECT_FALSE(kept.IsSet("password"));
  ::unsetenv("USER_DSMSGTEST");
}

TEST_F(ConfigTest, UnreadableFiles) {
  const auto error = [&](const std::string& path) {
    const auto config = Config::Load(path, table_);
    EXPECT_FALSE(config.ok()) << path;
    return config.status().message();
  };
  EXPECT_THAT(error(folder_ + "/missing"), HasSubstr("cannot be opened: No such file"));
  EXPECT_THAT(error(folder_ + "/missing"), HasSubstr(folder_ + "/missing"));
  EXPECT_THAT(error(folder_), HasSubstr("is a directory"));
  EXPECT_THAT(error(Write("huge", std::string((1 << 20) + 1, '#'))), HasSubstr("larger than"));
  EXPECT_THAT(error(Write("junk", std::string("\x7f"
                                              "ELF\x02\x01\x01\0\0\0",
                                              10))),
              HasSubstr(":1: contains a NUL byte"));
  EXPECT_THAT(error("/dev/zero"), HasSubstr("larger than"));
  ASSERT_EQ(::mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  EXPECT_THAT(error(folder_ + "/pipe"), HasSubstr("is not a regular file"));
  EXPECT_TRUE(Config::Load("/dev/null", table_).ok());
  if (::geteuid() != 0) {  // root may read everything
    const std::string closed = Write("closed", "");
    ASSERT_EQ(::chmod(closed.c_str(), 0), 0);
    EXPECT_THAT(error(closed), HasSubstr("Permission denied"));
  }
}

TEST_F(ConfigTest, ByteOrderMarkAndMissingLastLineBreak) {
  const std::string marked = Write("marked", "\xef\xbb\xbf[message-broker]\nport=7\n");
  EXPECT_EQ(Config::Load(marked, table_)->GetInt("port"), 7);
  const std::string secret = Write("secret", "\xef\xbb\xbfhunter2\r\n");
  EXPECT_EQ(Good("token = ${file:" + secret + "}").GetString("token"), "hunter2");
  const auto config = Config::Parse("\xef\xbb\xbf[message-broker]\nport=5", "x", table_);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->GetInt("port"), 5);
}

TEST_F(ConfigTest, CanonicalIsTheSameForTheSameSettings) {
  const std::string a = Good("queue-size=5\nconnect-timeout=5s\nproto-cfg=a=1;b=2\n").Canonical();
  const std::string b =
      Good(
          "proto_cfg = ' a=1; b=2;'\nlog-level=debug\nconnect-timeout=5000\nqueue_size = \"5\"\n"
          "reconnect = yes\nmetrics-interval=5000\noverflow=Block")
          .Canonical();
  EXPECT_EQ(a, b);
  EXPECT_NE(a, Good("queue-size=6\nproto-cfg=a=1;b=2\n").Canonical());
  EXPECT_NE(a, Good("queue-size=5\nproto-cfg=a=1;b=3\n").Canonical());
  EXPECT_NE(Good("token=x").Canonical(), Good("token=y").Canonical());
  EXPECT_NE(Good("port=\n").Canonical(), Good("port=1\n").Canonical());
  EXPECT_NE(Good("proto-cfg=a=1\\;b=2").Canonical(), Good("proto-cfg=a=1;b=2").Canonical());
  EXPECT_THAT(a, Not(HasSubstr("log-level")));
  EXPECT_THAT(a, HasSubstr("queue-size=5\n"));
  // A line break inside a secret does not pass for another option.
  const std::string file = Write("two-lines", "x\nusername=eve\n");
  EXPECT_THAT(Good("token = ${file:" + file + "}").Canonical(), Not(HasSubstr("\nusername=eve")));
}

TEST_F(ConfigTest, CopiesOutliveTheTableAndTheOriginal) {
  Config copy;
  {
    const OptionTable table(kOwn);
    const auto config = Config::Parse("[message-broker]\nqueue-size=5\n", "x", table);
    ASSERT_TRUE(config.ok());
    copy = config.value();
  }
  EXPECT_EQ(copy.GetInt("queue-size"), 5);
  EXPECT_THAT(copy.Canonical(), HasSubstr("queue-size=5\n"));
}

TEST_F(ConfigTest, WrongDefaultInATableIsFound) {
  constexpr OptionSpec kWrong[] = {{"x", "int(1,5)", "9", "doc"}};
  const auto config = Config::Load("", OptionTable(kWrong));
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.status().code(), Code::kInternal);
}

TEST_F(ConfigTest, RandomTextNeverCrashes) {
  std::mt19937 random(7);
  constexpr char kJunk[] = "\0\n\n\r\t =[]\"'#;\\$${}:abkq-_/\xff\xc3\xa9";
  const std::string_view alphabet(kJunk, sizeof kJunk);
  const std::string_view pieces[] = {"[message-broker]\n",
                                     "queue-size",
                                     "=",
                                     "proto-cfg",
                                     "token",
                                     "${env:",
                                     "${file:",
                                     "}",
                                     "\n",
                                     "\"",
                                     ";",
                                     "topic="};
  for (int round = 0; round < 5000; ++round) {
    std::string text = round % 2 == 0 ? "" : "[message-broker]\n";
    for (auto i = random() % 40; i > 0; --i) {
      if (random() % 2 == 0) {
        text += alphabet[random() % alphabet.size()];
      } else {
        text += pieces[random() % std::size(pieces)];
      }
    }
    const auto config = Config::Parse(text, "x", table_);
    EXPECT_FALSE(config.ok() ? config->Canonical().empty() : config.status().message().empty());
  }
}

}  // namespace
}  // namespace dsmsg
