// SPDX-License-Identifier: Apache-2.0
// What expressions of a map read of a received message. Plain functions: any thread, each with a
// scope of its own.
#ifndef DSMSG_MSGCONV_MAP_PAYLOAD_H_
#define DSMSG_MSGCONV_MAP_PAYLOAD_H_

#include <string_view>

#include "msgconv/map_node.h"

namespace dsmsg::msgconv {

/// null is missing.
MapValue PayloadValue(const JsonPayload& payload, JsonPayload::Place place);
/// Of kPayloadPath and kItemPath. The whole of a payload that is not JSON is a text.
MapValue PayloadAt(const MapScope& scope, const MapExpression::Node& node);
/// From 0; from the end with -1.
MapValue TopicPart(const MapScope& scope, int index);
/// Of several with a name, the last.
MapValue HeaderOf(const MapScope& scope, std::string_view name);
/// None: it is not a number as JSON writes it.
MapValue NumberOf(std::string_view text);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_MAP_PAYLOAD_H_
