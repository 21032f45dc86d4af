// SPDX-License-Identifier: Apache-2.0
#include "msgconv/map_settle.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace dsmsg::msgconv {
namespace {

using Element = Map::Element;
using Kind = Element::Kind;

/// `run`: members that stand together and are settled.
void AddRun(std::vector<Element::Member> run, std::vector<Element::Member>* to, size_t* parts) {
  if (run.empty()) return;
  if (run.size() == 1 && run.front().element.kind == Kind::kConstant) {
    to->push_back(std::move(run.front()));
    return;
  }
  Element part;
  part.kind = Kind::kSettled;
  part.slot = (*parts)++;
  part.members = std::move(run);
  to->push_back({",", std::move(part), nullptr});
}

bool SettleObject(Element* object, size_t* parts) {
  std::vector<bool> settled;
  for (Element::Member& member : object->members) settled.push_back(Settle(&member.element, parts));
  const bool all = std::find(settled.begin(), settled.end(), false) == settled.end();
  if (all && object->when.settled()) return true;
  std::vector<Element::Member> members, run;
  for (size_t i = 0; i < settled.size(); ++i) {
    Element::Member& member = object->members[i];
    if (settled[i]) {
      run.push_back(std::move(member));
      continue;
    }
    AddRun(std::exchange(run, {}), &members, parts);
    members.push_back(std::move(member));
  }
  AddRun(std::move(run), &members, parts);
  object->members = std::move(members);
  return false;
}

}  // namespace

bool Settle(Element* element, size_t* parts) {
  switch (element->kind) {
    case Kind::kConstant:
      return true;
    case Kind::kValue:
      element->json = element->value.TakeDefault();
      return element->value.settled();
    case Kind::kTemplate:
      return std::all_of(element->pieces.begin(), element->pieces.end(),
                         [](const Element::Piece& piece) { return piece.expression.settled(); });
    case Kind::kObject:
      return SettleObject(element, parts);
    default:
      break;
  }
  bool all = element->kind != Kind::kEach;
  for (Element& item : element->items) all = Settle(&item, parts) && all;
  return all;
}

}  // namespace dsmsg::msgconv
