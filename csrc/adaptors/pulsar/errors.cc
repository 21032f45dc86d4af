// SPDX-License-Identifier: Apache-2.0
#include "adaptors/pulsar/errors.h"

namespace dsmsg::pulsar {
namespace {

struct KnownError {
  int number;
  const char* name;
  Code code;
  const char* advice = "";
};

constexpr int kTopicTerminated = 15, kNotAllowed = 22;

constexpr KnownError kErrors[] = {
    {0, "UnknownError", Code::kUnavailable},
    {1, "MetadataError", Code::kUnavailable},
    {2, "PersistenceError", Code::kUnavailable, " (are the bookies up, with room on their disks?)"},
    {3, "AuthenticationError", Code::kAuth},
    {4, "AuthorizationError", Code::kAuth,
     " (grant the role that right: pulsar-admin namespaces grant-permission)"},
    {5, "ConsumerBusy", Code::kUnavailable,
     " (another consumer has the subscription: set subscription-type=shared or failover, or "
     "another subscription)"},
    {6, "ServiceNotReady", Code::kUnavailable},
    {7, "ProducerBlockedQuotaExceededError", Code::kUnavailable,
     " (the backlog quota of the namespace is used up: subscribers have to read, or raise it; the "
     "message is kept)"},
    {8, "ProducerBlockedQuotaExceededException", Code::kUnavailable,
     " (the backlog quota of the namespace is used up: subscribers have to read, or raise it; the "
     "message is kept)"},
    {9, "ChecksumError", Code::kUnavailable, " (the message was damaged on its way)"},
    {10, "UnsupportedVersionError", Code::kNotSupported},
    {11, "TopicNotFound", Code::kUnknownTopic,
     " (is the namespace there? pulsar-admin topics create makes a topic)"},
    {12, "SubscriptionNotFound", Code::kUnknownTopic,
     " (pulsar-admin topics create-subscription makes one)"},
    {13, "ConsumerNotFound", Code::kUnavailable},
    {14, "TooManyRequests", Code::kUnavailable},
    {kTopicTerminated, "TopicTerminatedError", Code::kRejected,
     " (the topic was terminated: nothing can be added to it)"},
    {16, "ProducerBusy", Code::kUnavailable,
     " (another producer with that name is connected: give each process another producer-name)"},
    {17, "InvalidTopicName", Code::kInvalidArgument},
    {18, "IncompatibleSchema", Code::kRejected,
     " (the topic has a schema; messages of dsmsg are bytes without one)"},
    {19, "ConsumerAssignError", Code::kUnavailable},
    {kNotAllowed, "NotAllowedError", Code::kRejected},
    {25, "ProducerFenced", Code::kUnavailable,
     " (another producer has exclusive access to the topic)"},
};

}  // namespace

Status ServerError(int error, std::string_view text) {
  for (const KnownError& known : kErrors) {
    if (known.number != error) continue;
    return {known.code, std::string(text) + ", " + known.name + known.advice};
  }
  return {Code::kUnavailable, std::string(text) + ", error " + std::to_string(error)};
}

bool AboutOneMessage(int error) { return error == kTopicTerminated || error == kNotAllowed; }

}  // namespace dsmsg::pulsar
