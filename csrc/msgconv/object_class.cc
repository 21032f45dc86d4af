// SPDX-License-Identifier: Apache-2.0
#include "msgconv/object_class.h"

#include <array>

namespace dsmsg::msgconv {
namespace {

constexpr ClassField kVehicleFields[] = {{"type"},  {"make"},         {"model"},
                                         {"color"}, {"licenseState"}, {"license"}};
constexpr uint8_t kVehicleDelimited[] = {0, 1, 2, 3, 5, 4};  // type make model color license region
constexpr ClassField kPersonFields[] = {{"age", true}, {"gender"}, {"hair"}, {"cap"}, {"apparel"}};
constexpr uint8_t kPersonDelimited[] = {1, 0, 2, 3, 4};  // gender age hair cap apparel
constexpr ClassField kFaceFields[] = {{"age", true}, {"gender"},     {"hair"}, {"cap"},
                                      {"glasses"},   {"facialhair"}, {"name"}, {"eyecolor"}};
constexpr uint8_t kFaceDelimited[] = {1, 0, 2, 3, 4, 5, 6, 7};  // gender age hair ...
constexpr ClassField kProductFields[] = {{"brand"}, {"type"}, {"shape"}};
constexpr uint8_t kProductDelimited[] = {0, 1, 2};

constexpr ObjectClass kClasses[] = {
    {ClassKind::kVehicle, "vehicle", kVehicleFields, kVehicleDelimited, true},
    {ClassKind::kPerson, "person", kPersonFields, kPersonDelimited, true},
    {ClassKind::kFace, "face", kFaceFields, kFaceDelimited, true},
    {ClassKind::kProduct, "product", kProductFields, kProductDelimited, false},
    {ClassKind::kOther, "", {}, {}, true},
};

struct Alias {
  std::string_view from;  // lower case, letters and digits only
  std::string_view to;
};

// Class names, ordered by how often a street camera reports them.
struct LabelClass {
  std::string_view label;
  ClassKind kind;
};
constexpr LabelClass kLabels[] = {
    {"person", ClassKind::kPerson},     {"car", ClassKind::kVehicle},
    {"vehicle", ClassKind::kVehicle},   {"truck", ClassKind::kVehicle},
    {"bus", ClassKind::kVehicle},       {"van", ClassKind::kVehicle},
    {"face", ClassKind::kFace},         {"pedestrian", ClassKind::kPerson},
    {"people", ClassKind::kPerson},     {"motorcycle", ClassKind::kVehicle},
    {"motorbike", ClassKind::kVehicle}, {"product", ClassKind::kProduct},
};

constexpr Alias kAliases[] = {
    {"colour", "color"},        {"licenseplate", "license"},     {"plate", "license"},
    {"region", "licensestate"}, {"plateregion", "licensestate"}, {"facial", "facialhair"}};

constexpr size_t kLongestName = 32;

constexpr char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

}  // namespace

const ObjectClass& ClassOf(ClassKind kind) { return kClasses[static_cast<size_t>(kind)]; }

const ObjectClass& ClassOf(std::string_view label) {
  for (const LabelClass& known : kLabels) {
    if (SameIgnoringCase(label, known.label)) return ClassOf(known.kind);
  }
  return ClassOf(ClassKind::kOther);
}

const ObjectClass& ClassOf(const Object& object) {
  switch (object.kind) {
    case ObjectKind::kVehicle:
      return ClassOf(ClassKind::kVehicle);
    case ObjectKind::kPerson:
      return ClassOf(ClassKind::kPerson);
    case ObjectKind::kFace:
      return ClassOf(ClassKind::kFace);
    case ObjectKind::kProduct:
      return ClassOf(ClassKind::kProduct);
    case ObjectKind::kOther:
      return ClassOf(ClassKind::kOther);
    case ObjectKind::kByLabel:
      break;
  }
  return ClassOf(object.label);
}

size_t FieldOf(const ObjectClass& object_class, std::string_view attribute_name) {
  std::array<char, kLongestName> plain;
  size_t length = 0;
  for (const char c : attribute_name) {
    const char lower = Lower(c);
    if ((lower < 'a' || lower > 'z') && (lower < '0' || lower > '9')) continue;
    if (length == plain.size()) return kNoField;
    plain[length++] = lower;
  }
  std::string_view name(plain.data(), length);
  if (name.size() > object_class.member.size() && name.starts_with(object_class.member)) {
    name.remove_prefix(object_class.member.size());
  }
  for (const Alias& alias : kAliases) {
    if (name == alias.from) name = alias.to;
  }
  for (size_t i = 0; i < object_class.fields.size(); ++i) {
    if (SameIgnoringCase(name, object_class.fields[i].name)) return i;
  }
  return kNoField;
}

ClassValues ValuesOf(const ObjectClass& object_class, std::string_view label,
                     std::span<const Attribute> attributes) {
  ClassValues values;
  for (size_t i = 0; i < attributes.size() && i < 64; ++i) {
    const size_t field = FieldOf(object_class, attributes[i].name);
    if (field == kNoField) {
      values.extra |= uint64_t{1} << i;
    } else if (values.text[field].empty()) {
      values.text[field] = attributes[i].value;
    }
  }
  if (object_class.kind == ClassKind::kVehicle && values.text[0].empty()) values.text[0] = label;
  return values;
}

}  // namespace dsmsg::msgconv
