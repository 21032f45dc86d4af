// SPDX-License-Identifier: Apache-2.0
#include "core/options/options.h"

#include <gtest/gtest.h>

#include <iterator>
#include <set>

#include "core/options/option_value.h"

namespace dsmsg {
namespace {

TEST(OptionsTest, TableIsSound) {
  std::set<std::string> names;
  for (const OptionSpec& spec : CommonOptions()) {
    SCOPED_TRACE(spec.name);
    EXPECT_TRUE(names.insert(spec.name).second) << "declared twice";
    EXPECT_NE(std::string(spec.doc), "");
    const auto type = ParseOptionType(spec);
    ASSERT_TRUE(type.ok()) << type.status().message();
    const auto value = ParseOptionValue(type.value(), spec.deflt);
    EXPECT_TRUE(value.ok()) << value.status().message();
  }
}

TEST(OptionsTest, DefaultsAndFlagsAreThoseOfTheDocument) {
  const OptionTable table({});
  const auto deflt = [&](const char* name) { return std::string(table.Find(name)->deflt); };
  EXPECT_EQ(deflt("share-connection"), "0");
  EXPECT_EQ(deflt("connect"), "strict");
  EXPECT_EQ(deflt("connect-wait-timeout"), "60s");
  EXPECT_EQ(deflt("connect-timeout"), "5s");
  EXPECT_EQ(deflt("reconnect"), "1");
  EXPECT_EQ(deflt("reconnect-interval"), "200ms");
  EXPECT_EQ(deflt("reconnect-max-interval"), "30s");
  EXPECT_EQ(deflt("reconnect-attempts"), "0");
  EXPECT_EQ(deflt("queue-size"), "100000");
  EXPECT_EQ(deflt("queue-bytes"), "256M");
  EXPECT_EQ(deflt("overflow"), "block");
  EXPECT_EQ(deflt("overflow-timeout"), "5s");
  EXPECT_EQ(deflt("message-timeout"), "0");
  EXPECT_EQ(deflt("send-timeout"), "10s");
  EXPECT_EQ(deflt("flush-timeout"), "10s");
  EXPECT_EQ(deflt("max-message-bytes"), "0");
  EXPECT_EQ(deflt("work-wait"), "50ms");
  EXPECT_EQ(deflt("spool-dir"), "off");
  EXPECT_EQ(deflt("spool-mode"), "overflow");
  EXPECT_EQ(deflt("spool-max-bytes"), "1G");
  EXPECT_EQ(deflt("spool-order"), "key");
  EXPECT_EQ(deflt("spool-sync"), "normal");
  EXPECT_EQ(deflt("metrics-interval"), "5s");
  EXPECT_EQ(deflt("log-level"), "warn");
  EXPECT_EQ(deflt("tls-verify"), "1");
  EXPECT_EQ(table.Find("log-level")->flags, unsigned{kOptLocal});
  EXPECT_EQ(table.Find("username")->flags, unsigned{kOptDeprecated});
  EXPECT_EQ(table.Find("password")->flags, unsigned{kOptSecret | kOptDeprecated});
}

TEST(OptionsTest, FindTakesDashesAndUnderscores) {
  const OptionTable table({});
  ASSERT_NE(table.Find("queue_size"), nullptr);
  EXPECT_EQ(table.Find("queue_size"), table.Find("queue-size"));
  EXPECT_EQ(table.Find("queue"), nullptr);
  EXPECT_EQ(table.Find(""), nullptr);
  EXPECT_EQ(table.Find("queue-sizes"), nullptr);
}

TEST(OptionsTest, OwnOptionsFollowOrReplace) {
  constexpr OptionSpec kOwn[] = {{"max_message_bytes", "bytes(0,)", "1M", "own"},
                                 {"acks", "enum(all,1,0)", "all", "own"}};
  const OptionTable table(kOwn);
  EXPECT_EQ(table.all().size(), CommonOptions().size() + 1);
  EXPECT_STREQ(table.Find("max-message-bytes")->deflt, "1M");
  EXPECT_STREQ(table.all().back().name, "acks");
  EXPECT_STREQ(table.all().front().name, "share-connection");
}

TEST(OptionsTest, NearestName) {
  const OptionTable table({});
  EXPECT_EQ(table.Nearest("queue-sze"), "queue-size");
  EXPECT_EQ(table.Nearest("qeueu-size"), "queue-size");  // two swaps
  EXPECT_EQ(table.Nearest("QUEUE_SIZE"), "queue-size");
  EXPECT_EQ(table.Nearest("passwrod"), "password");
  EXPECT_EQ(table.Nearest("prot"), "port");
  EXPECT_EQ(table.Nearest("completely-different-thing"), "");
  EXPECT_EQ(table.Nearest(""), "");
  EXPECT_EQ(table.Nearest(std::string(100000, 'q')), "");
}

Result<OptionValue> Value(const char* type, std::string_view text) {
  const auto parsed = ParseOptionType({"x", type, "", ""});
  if (!parsed.ok()) return parsed.status();
  return ParseOptionValue(parsed.value(), text);
}

TEST(OptionValueTest, Numbers) {
  const auto number = [](const char* type, std::string_view text) {
    const auto value = Value(type, text);
    return value.ok() ? value->number : -999;
  };
  EXPECT_EQ(number("int(0,10)", "7"), 7);
  EXPECT_EQ(number("int", "-7"), -7);
  EXPECT_EQ(number("int", "+7"), 7);
  EXPECT_EQ(number("int(0,10)", "11"), -999);
  EXPECT_EQ(number("int(0,10)", "-1"), -999);
  EXPECT_EQ(number("int", "7x"), -999);
  EXPECT_EQ(number("int", "7.5"), -999);
  EXPECT_EQ(number("int", "0x10"), -999);
  EXPECT_EQ(number("int", "+-7"), -999);
  EXPECT_EQ(number("int", "99999999999999999999"), -999);
  EXPECT_EQ(number("ms", "250"), 250);
  EXPECT_EQ(number("ms", "500ms"), 500);
  EXPECT_EQ(number("ms", "5s"), 5000);
  EXPECT_EQ(number("ms", "5 S"), 5000);
  EXPECT_EQ(number("ms", "2m"), 120000);
  EXPECT_EQ(number("ms", "1h"), 3600000);
  EXPECT_EQ(number("ms", "1d"), -999);
  EXPECT_EQ(number("ms", "s"), -999);
  EXPECT_EQ(number("ms", "9223372036854775807h"), -999);
  EXPECT_EQ(number("ms(-1,)", "-1"), -1);
  EXPECT_EQ(number("s", "60"), 60000);
  EXPECT_EQ(number("s", "60ms"), 60);
  EXPECT_EQ(number("s(1,10)", "10"), 10000);  // bounds in seconds
  EXPECT_EQ(number("s(1,10)", "11"), -999);
  EXPECT_EQ(number("s(1,10)", "999ms"), -999);
  EXPECT_EQ(number("bytes", "4096"), 4096);
  EXPECT_EQ(number("bytes", "64k"), 65536);
  EXPECT_EQ(number("bytes", "64K"), 65536);
  EXPECT_EQ(number("bytes", "256M"), 256 << 20);
  EXPECT_EQ(number("bytes", "1G"), 1 << 30);
  EXPECT_EQ(number("bytes", "1GiB"), 1 << 30);
  EXPECT_EQ(number("bytes", "-1"), -999);
  EXPECT_EQ(number("bytes(1k,1M)", "1023"), -999);
  EXPECT_EQ(number("bytes", "99999999999G"), -999);
}

TEST(OptionValueTest, Booleans) {
  for (const char* yes : {"1", "true", "TRUE", "Yes", "on"}) {
    ASSERT_TRUE(Value("bool", yes).ok()) << yes;
    EXPECT_EQ(Value("bool", yes)->number, 1) << yes;
  }
  for (const char* no : {"0", "false", "No", "OFF"}) {
    ASSERT_TRUE(Value("bool", no).ok()) << no;
    EXPECT_EQ(Value("bool", no)->number, 0) << no;
  }
  for (const char* bad : {"2", "y", "tru", "enable", "1 0"}) EXPECT_FALSE(Value("bool", bad).ok());
}

TEST(OptionValueTest, EnumsTakeTheSpellingOfTheTable) {
  EXPECT_EQ(Value("enum(PUSH,PUB,drop-oldest)", "push")->text, "PUSH");
  EXPECT_EQ(Value("enum(PUSH,PUB,drop-oldest)", "Drop_Oldest")->text, "drop-oldest");
  const auto bad = Value("enum(all,1,0)", "2");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().message(), "must be one of all, 1, 0");
}

TEST(OptionValueTest, MessagesSayWhatIsAllowed) {
  EXPECT_EQ(Value("int(1,5)", "9").status().message(), "must be a whole number from 1 to 5");
  EXPECT_EQ(Value("ms(1,3600000)", "x").status().message(),
            "must be a time from 1ms to 1h, such as 500ms, 5s, 2m or 1h; a bare number means "
            "milliseconds");
  EXPECT_EQ(Value("bytes(1024,)", "x").status().message(),
            "must be a size of at least 1k, such as 4096, 64k, 256M or 1G");
}

TEST(OptionValueTest, TemplatesAreCompiled) {
  EXPECT_TRUE(Value("template", "a/${sensor.id}").ok());
  const auto bad = Value("template", "a/${sensor.id");
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.status().message().find("character 3"), std::string::npos)
      << bad.status().message();
}

TEST(OptionValueTest, Pairs) {
  const auto pairs = ParsePairs(" a = 1 ;b=x=y;; c=p\\;q ;d=\\n;a=2;");
  ASSERT_TRUE(pairs.ok());
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a", "1"}, {"b", "x=y"}, {"c", "p;q"}, {"d", "\\n"}, {"a", "2"}};
  EXPECT_EQ(pairs.value(), expected);
  EXPECT_TRUE(ParsePairs("").value().empty());
  EXPECT_TRUE(ParsePairs(";;").value().empty());
  ASSERT_FALSE(ParsePairs("a=1;hunter2").ok());
  const std::string message = ParsePairs("a=1;hunter2").status().message();
  EXPECT_NE(message.find("element 2"), std::string::npos) << message;
  EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
  EXPECT_FALSE(ParsePairs("=x").ok());
}

TEST(OptionValueTest, QuotedValuesOfPairs) {
  const auto pairs = ParsePairs(
      "a=\"Endpoint=sb://h/;Key=x=;\" ; b = 'it''s \";\"' ;c=x\"y;d=\"\";e=' p ';f=\"\"\"q\"\"\"");
  ASSERT_TRUE(pairs.ok()) << pairs.status().message();
  const Pairs expected = {{"a", "Endpoint=sb://h/;Key=x=;"},
                          {"b", "it's \";\""},
                          {"c", "x\"y"},
                          {"d", ""},
                          {"e", " p "},
                          {"f", "\"q\""}};
  EXPECT_EQ(pairs.value(), expected);
  const auto error = [](const char* text) { return ParsePairs(text).status().message(); };
  EXPECT_EQ(
      error("a=1;b=\"hunter2;c=3"),
      "element 2 begins with a quote that is not closed (put a value that begins with a quote "
      "in the other kind of quotes)");
  EXPECT_EQ(error("a=1;b='hunter2' hunter3;c=3"),
            "element 2 has text after its closing quote (inside quotes, write a quote twice)");
  EXPECT_EQ(error("${env:ALL}").find("element 1 is not key=value"), 0u) << error("${env:ALL}");
  EXPECT_NE(error("${env:ALL}").find("stand for the value of one pair"), std::string::npos);
}

TEST(OptionValueTest, WrongTablesAreRefused) {
  for (const char* type : {"text", "int(1", "int(1,2,3)", "int(a,b)", "enum", "bool(0,1)",
                           "string(1,2)", "", "(1,2)"}) {
    const auto parsed = ParseOptionType({"x", type, "", ""});
    ASSERT_FALSE(parsed.ok()) << type;
    EXPECT_EQ(parsed.status().code(), Code::kInternal) << type;
  }
}

}  // namespace
}  // namespace dsmsg
