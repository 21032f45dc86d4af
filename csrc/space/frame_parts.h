// SPDX-License-Identifier: Apache-2.0
// What the engine (engine.h) writes into a frame, and into what it remembers. Plain functions; one
// thread at a time.
#ifndef DSMSG_SPACE_FRAME_PARTS_H_
#define DSMSG_SPACE_FRAME_PARTS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "msgconv/model.h"
#include "space/source_state.h"

namespace dsmsg::space {

/// Where an object with this box is; nullopt: its box has no numbers.
std::optional<Place> AnchorOf(const msgconv::Box& box, Anchor anchor);

/// Both append to a list that belongs to an object, which may be moved to the end for that.
void AddText(std::string_view text, msgconv::Range* texts, msgconv::Frame* frame);
void AddEvent(const msgconv::SpaceEvent& event, msgconv::Object* object, msgconv::Frame* frame);

void AddCrossing(const LineRule& rule, Side to, std::string_view label, LineState* state,
                 msgconv::Object* object, msgconv::Frame* frame);
void Enter(const ZoneRule& rule, std::string_view label, uint64_t now_ns, ZoneState* state,
           Visit* visit);
/// How long it was there.
uint64_t Leave(uint64_t now_ns, ZoneState* state, Visit* visit);

/// An object for the zone itself, with its smallest box.
void AppendZoneEvent(const msgconv::SpaceEvent& event, const ZoneState& state,
                     msgconv::Frame* frame);
/// What lines and zones have counted.
void AppendCounts(const SourceState& source, msgconv::Frame* frame);

void AddToSummary(const msgconv::Object& object, uint64_t time_ns, Track* track);
/// Appends the summary, which refers to the track's texts.
void Summarize(Track* track, const SourceState& source, msgconv::Frame* frame,
               msgconv::Object* object);

}  // namespace dsmsg::space

#endif  // DSMSG_SPACE_FRAME_PARTS_H_
