// SPDX-License-Identifier: Apache-2.0
// A pipeline under test as a separate program, so that its memory and CPU can be measured and it
// can be killed.
//
//   dsmsg_fault_sender LIBRARY CONNECTION_STRING CONFIG_FILE TOPIC JOURNAL [KEYS] [BYTES]
//   [MESSAGES]
//
// Messages are numbered on from the journal's end (see journal.h; MESSAGES is its size, 2,000,000).
// Answers "ready" and each line of standard input with one line of JSON, which is the status (see
// Status) and what the command adds:
//   start RATE   send until "stop"         burst COUNT   send as fast as possible
//   stop                                   drain MS      wait for callbacks: {"drained": true}
//   status                                 disconnect    {"disconnect_ms": 12.3}; then end
// Without a handle it prints {"error": ...} and ends with 3. The end of the input ends it.
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "sender.h"

namespace dsmsg::faults {
namespace {

using conformance::Adaptor;
using conformance::Link;
using Json = rapidjson::Writer<rapidjson::StringBuffer>;

std::atomic<uint64_t> services_down{0};

void OnEvent(NvDsMsgApiHandle, NvDsMsgApiEventType event) {
  if (event == NVDS_MSGAPI_EVT_SERVICE_DOWN) ++services_down;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Number(Json& json, const char* name, uint64_t value) {
  json.Key(name);
  json.Uint64(value);
}

void Status(const Sender& sender, const Journal& journal, bool connected, Json& json) {
  // Of this process's messages only: an earlier one may have been killed.
  const Journal::Counts counts = journal.Count(sender.first(), sender.next());
  Number(json, "first", sender.first());
  Number(json, "next", sender.next());
  Number(json, "accepted", counts.accepted);
  Number(json, "refused", counts.refused);
  Number(json, "called", counts.called);
  Number(json, "doubled", counts.doubled);
  Number(json, "ok", counts.ok);
  Number(json, "err", counts.err);
  Number(json, "unknown_topic", counts.unknown_topic);
  Number(json, "service_down", services_down.load());
  json.Key("longest_send_ms");
  json.Double(1e-3 * static_cast<double>(sender.longest_send().count()));
  json.Key("cpu_s");
  json.Double(CpuSeconds());
  json.Key("violations");
  json.StartArray();
  for (const std::string& text : conformance::TakeViolations()) json.String(text.c_str());
  json.EndArray();
  if (connected) {
    const std::string stats = sender.link().GetStats().json();
    json.Key("stats");
    json.RawValue(stats.data(), stats.size(), rapidjson::kObjectType);
  }
}

/// Carries out one command; false when it was the last.
bool Obey(const std::string& line, Sender& sender, const Journal& journal) {
  std::istringstream words(line);
  std::string command;
  double number = 0;
  words >> command >> number;
  rapidjson::StringBuffer text;
  Json json(text);
  json.StartObject();
  bool connected = true;
  if (command == "start" && number > 0) {
    sender.Start(number);
  } else if (command == "burst") {
    sender.Burst(static_cast<size_t>(number));
  } else if (command == "stop") {
    sender.Stop();
  } else if (command == "drain") {
    json.Key("drained");
    json.Bool(sender.Drain(std::chrono::milliseconds(static_cast<long>(number))));
  } else if (command == "disconnect") {
    json.Key("disconnect_ms");
    json.Double(1e-3 * static_cast<double>(sender.Disconnect().count()));
    connected = false;
  } else if (command != "status") {
    json.Key("error");
    json.String(("there is no command '" + line + "'").c_str());
  }
  Status(sender, journal, connected, json);
  json.EndObject();
  std::cout << text.GetString() << std::endl;
  return connected;
}

int Run(const std::vector<std::string>& arguments) {
  const auto number = [&](size_t place, size_t otherwise) {
    return arguments.size() > place ? std::stoul(arguments[place]) : otherwise;
  };
  const Plan plan{arguments[3], number(5, 8), number(6, 300)};
  Journal journal(arguments[4], number(7, 2'000'000));
  const auto adaptor = Adaptor::Load(arguments[0]);
  const Link link = Link::Open(*adaptor, arguments[1], arguments[2], &OnEvent);
  if (!link.ok()) {
    rapidjson::StringBuffer text;
    Json json(text);
    json.StartObject();
    json.Key("error");
    json.String(adaptor->LastError().c_str());
    json.EndObject();
    std::cout << text.GetString() << std::endl;
    return 3;
  }
  const bool endless = arguments[0].find("libnvds_mqtt_proto.so") != std::string::npos;
  Sender sender(link, journal, plan, endless);
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line) && Obey(line, sender, journal);) {
  }
  return 0;
}

}  // namespace
}  // namespace dsmsg::faults

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 5) {
    std::fprintf(stderr,
                 "usage: dsmsg_fault_sender LIBRARY CONNECTION_STRING CONFIG_FILE TOPIC JOURNAL "
                 "[KEYS] [BYTES] [MESSAGES]\n");
    return 2;
  }
  try {
    return dsmsg::faults::Run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fault sender: %s\n", error.what());
    return 1;
  }
}
