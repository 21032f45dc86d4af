// SPDX-License-Identifier: Apache-2.0
// An adaptor beside its client library alone: same server, same run, in turns (raw, adaptor, raw,
// adaptor), the same payloads, window and acknowledgement. Prints one JSON object.
//
// usage: load TARGET [--OPTION VALUE]..., or load --list
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "run.h"
#include "target.h"

namespace dsmsg::bench {
namespace {

constexpr char kUsage[] =
    "usage: load TARGET [--OPTION VALUE]..., or load --list\n"
    "  --sides raw,adaptor     also host-a, host-b, null (host A's own cost); those two only "
    "paced\n"
    "  --pattern unbounded     as fast as it goes; windowed: --window (64) under way; paced: "
    "--rate\n"
    "                          (900) messages a second, --burst (1) at a time\n"
    "  --seconds 2  --rounds 3  --bytes 1000  --sensors 30  --topics 1  --connections 1\n"
    "  --server packaged       or tuned        --partitions 1\n"
    "  --vary topics=1,10,100  runs for each value, of any option with a whole number but "
    "partitions\n"
    "  --round-trip 0          milliseconds, through a proxy\n"
    "  --lib PATH              another library than ours       --set LINE   for its config file\n";

struct Arguments {
  std::string name, library;
  std::vector<Side> sides{Side::kRaw, Side::kAdaptor};
  Plan plan;
  Setup setup;
  int rounds = 3;
  std::vector<std::string> lines;
  /// Of which option, and its values.
  std::string varied = "bytes";
  std::vector<size_t> values;
};

const std::map<std::string, size_t Plan::*> kNumbers = {
    {"burst", &Plan::burst},     {"window", &Plan::window}, {"bytes", &Plan::bytes},
    {"sensors", &Plan::sensors}, {"topics", &Plan::topics}, {"connections", &Plan::connections}};

const std::map<std::string, Side> kSides = {{"raw", Side::kRaw},
                                            {"adaptor", Side::kAdaptor},
                                            {"host-a", Side::kHostA},
                                            {"host-b", Side::kHostB},
                                            {"null", Side::kNull}};
const std::map<std::string, Pattern> kPatterns = {{"unbounded", Pattern::kUnbounded},
                                                  {"windowed", Pattern::kWindowed},
                                                  {"sync", Pattern::kSync},
                                                  {"paced", Pattern::kPaced}};

template <class Value>
Value Named(const std::map<std::string, Value>& values, const std::string& name) {
  const auto found = values.find(name);
  if (found == values.end()) throw std::runtime_error("unknown value '" + name + "'");
  return found->second;
}

template <class Value>
const std::string& NameOf(const std::map<std::string, Value>& values, Value value) {
  return std::find_if(values.begin(), values.end(),
                      [value](const auto& each) { return each.second == value; })
      ->first;
}

std::vector<std::string> Words(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream(list);
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

size_t Number(const std::string& text) { return std::max(1UL, std::stoul(text)); }

// topics=1,10,100
void Vary(const std::string& text, Arguments* arguments) {
  const size_t equals = text.find('=');
  arguments->varied = text.substr(0, equals);
  (void)Named(kNumbers, arguments->varied);
  for (const std::string& value : Words(text.substr(equals + 1))) {
    arguments->values.push_back(Number(value));
  }
}

Arguments Parse(int argc, char** argv) {
  Arguments parsed;
  Plan& plan = parsed.plan;
  const std::map<std::string, std::function<void(const std::string&)>> options = {
      {"--sides",
       [&](const std::string& text) {
         parsed.sides.clear();
         for (const auto& name : Words(text)) parsed.sides.push_back(Named(kSides, name));
       }},
      {"--vary", [&](const std::string& text) { Vary(text, &parsed); }},
      {"--pattern", [&](const std::string& text) { plan.pattern = Named(kPatterns, text); }},
      {"--seconds", [&](const std::string& text) { plan.seconds = std::stod(text); }},
      {"--rate", [&](const std::string& text) { plan.rate = std::stod(text); }},
      {"--partitions", [&](const std::string& text) { parsed.setup.partitions = std::stoi(text); }},
      {"--server", [&](const std::string& text) { parsed.setup.tuned = text == "tuned"; }},
      {"--round-trip",
       [&](const std::string& text) {
         parsed.setup.round_trip = std::chrono::milliseconds(std::stol(text));
       }},
      {"--rounds", [&](const std::string& text) { parsed.rounds = std::stoi(text); }},
      {"--lib", [&](const std::string& text) { parsed.library = text; }},
      {"--set", [&](const std::string& text) { parsed.lines.push_back(text); }}};
  parsed.name = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string name = argv[i];
    const auto option = options.find(name);
    const auto number = kNumbers.find(name.substr(std::min<size_t>(2, name.size())));
    if (i + 1 == argc || (option == options.end() && number == kNumbers.end())) {
      throw std::runtime_error(name + ": unknown, or without a value\n" + kUsage);
    }
    if (option != options.end()) {
      option->second(argv[i + 1]);
    } else {
      plan.*number->second = Number(argv[i + 1]);
    }
  }
  if (parsed.values.empty()) parsed.values.push_back(plan.*kNumbers.at(parsed.varied));
  for (const Side side : parsed.sides) {
    if (side != Side::kRaw && side != Side::kAdaptor && plan.pattern != Pattern::kPaced) {
      throw std::runtime_error("hosts send only --pattern paced");
    }
  }
  return parsed;
}

void PrintPercentiles(const char* name, const std::vector<double>& sorted) {
  if (sorted.empty()) return;
  const auto at = [&](double part) {
    return sorted[static_cast<size_t>(part * static_cast<double>(sorted.size() - 1))];
  };
  std::printf(", \"%s\": {\"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, \"p99.9\": %.2f, ", name,
              at(0.5), at(0.9), at(0.99), at(0.999));
  std::printf("\"max\": %.2f}", at(1));
}

void Print(Side side, size_t value, int round, const Result& result) {
  std::printf("  {\"side\": \"%s\", \"value\": %zu, \"round\": %d, ", NameOf(kSides, side).c_str(),
              value, round);
  std::printf("\"messages\": %lu, \"failed\": %lu, ", result.messages, result.failed);
  std::printf("\"per_s\": %.1f, \"cpu_us\": %.3f, \"server_cpu_us\": %.3f, \"memory_mb\": %.1f",
              static_cast<double>(result.messages) / result.seconds, result.cpu_us,
              result.server_cpu_us, result.memory_mb);
  PrintPercentiles("latency_us", result.latency_us);
  PrintPercentiles("call_us", result.call_us);
  std::printf(", \"samples\": [");
  for (size_t i = 0; i < result.samples.size(); ++i) {
    const Sample& sample = result.samples[i];
    std::printf("%s[%.2f, %.3f, %.1f]", i > 0 ? ", " : "", sample.seconds, sample.cpu,
                sample.memory_mb);
  }
  std::printf("]}");
}

void PrintHead(const Arguments& arguments, const Target& target) {
  const Plan& plan = arguments.plan;
  std::printf("{\"benchmark\": \"load\", \"target\": \"%s\", \"client\": \"%s\", ",
              target.name().c_str(), target.client().c_str());
  std::printf("\"terms\": \"%s\", \"pattern\": \"%s\", \"rate\": %.0f, \"burst\": %lu, ",
              target.terms().c_str(), NameOf(kPatterns, plan.pattern).c_str(), plan.rate,
              plan.burst);
  std::printf("\"window\": %lu, \"seconds\": %g, \"bytes\": %zu, \"sensors\": %zu, ", plan.window,
              plan.seconds, plan.bytes, plan.sensors);
  std::printf("\"topics\": %zu, \"connections\": %zu, \"partitions\": %d, \"server\": \"%s\", ",
              plan.topics, plan.connections, arguments.setup.partitions,
              arguments.setup.tuned ? "tuned" : "packaged");
  std::printf("\"round_trip_ms\": %ld, \"varied\": \"%s\", \"runs\": [\n",
              static_cast<long>(arguments.setup.round_trip.count()), arguments.varied.c_str());
}

int Measure(const Arguments& arguments) {
  Target* target = FindTarget(arguments.name);
  if (target == nullptr) {
    throw std::runtime_error("there is no target '" + arguments.name +
                             "' (known: " + TargetNames() + ")");
  }
  target->Start(arguments.setup);
  const auto adaptor = conformance::Adaptor::Load(arguments.library.empty() ? LibraryOf(*target)
                                                                            : arguments.library);
  std::vector<std::string> lines = target->config();
  lines.insert(lines.end(), arguments.lines.begin(), arguments.lines.end());
  const ConfigFile config(lines);
  uint64_t total = 0, failed = 0;
  const auto run = [&](Side side, const Plan& plan, const Letters& letters) {
    Result result = Run(side, plan, letters, *target, *adaptor, config.path(), &total);
    target->Clear();
    failed += result.failed;
    return result;
  };
  PrintHead(arguments, *target);
  const char* separator = "";
  for (const size_t value : arguments.values) {
    Plan plan = arguments.plan;
    plan.*kNumbers.at(arguments.varied) = value;
    const Letters letters(plan);
    // The server and the caches are warm for all, and topics are there.
    Plan warm = plan;
    warm.seconds = std::min(0.3, warm.seconds);
    for (const Side side : arguments.sides) (void)run(side, warm, letters);
    for (int round = 0; round < arguments.rounds; ++round) {
      for (const Side side : arguments.sides) {
        const Result result = run(side, plan, letters);
        std::fprintf(stderr, "%s %s=%zu round %d %s: %.0f/s, %.2f us CPU\n", arguments.name.c_str(),
                     arguments.varied.c_str(), value, round + 1, NameOf(kSides, side).c_str(),
                     static_cast<double>(result.messages) / result.seconds, result.cpu_us);
        std::printf("%s", std::exchange(separator, ",\n"));
        Print(side, value, round, result);
      }
    }
  }
  std::printf("]}\n");
  if (failed > 0) std::fprintf(stderr, "load: %lu messages were not acknowledged\n", failed);
  return failed == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  int result = 2;
  try {
    if (argc < 2) {
      std::fputs(kUsage, stderr);
    } else if (std::string(argv[1]) == "--list") {
      for (const Target* target : Targets()) std::printf("%s\n", target->name().c_str());
      result = 0;
    } else {
      result = Measure(Parse(argc, argv));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
  }
  CloseTargets();
  return result;
}

}  // namespace
}  // namespace dsmsg::bench

int main(int argc, char** argv) { return dsmsg::bench::Main(argc, argv); }
