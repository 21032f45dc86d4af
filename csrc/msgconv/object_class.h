// SPDX-License-Identifier: Apache-2.0
// The classes that the schema knows, and where a classifier's results belong in them. Constant data
// and plain functions: any thread.
#ifndef DSMSG_MSGCONV_OBJECT_CLASS_H_
#define DSMSG_MSGCONV_OBJECT_CLASS_H_

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "msgconv/model.h"

namespace dsmsg::msgconv {

enum class ClassKind { kVehicle, kPerson, kFace, kProduct, kOther };

struct ClassField {
  std::string_view name;  // as in the message
  bool number = false;    // age: a number if the classifier gives one, 0 if it gives nothing
};

struct ObjectClass {
  ClassKind kind;
  std::string_view member;             // name in the full form; "" for kOther: the label itself
  std::span<const ClassField> fields;  // in the order of the full form
  std::span<const uint8_t> delimited;  // the same, as indices, in the order of the delimited form
  bool has_confidence;
};

/// vehicle for "Vehicle", "car", "truck" ..., person for "person", "pedestrian" ...; case does not
/// matter.
const ObjectClass& ClassOf(std::string_view label);
const ObjectClass& ClassOf(ClassKind kind);
/// By its label, unless the kind was given when the object was attached.
const ObjectClass& ClassOf(const Object& object);

constexpr size_t kMaxClassFields = 8;
constexpr size_t kNoField = SIZE_MAX;

/// Index of the field that a classifier's result of this name fills ("license-plate" and
/// "vehicle_license" are "license"), or kNoField.
size_t FieldOf(const ObjectClass& object_class, std::string_view attribute_name);

/// What the classifiers report for each field of the class.
struct ClassValues {
  std::array<std::string_view, kMaxClassFields> text;  // "" : nothing
  uint64_t extra = 0;  // bit i: attribute i (of the first 64) belongs to no field
};
/// The first result for a field counts; a vehicle without a type gets the type that its label
/// names.
ClassValues ValuesOf(const ObjectClass& object_class, std::string_view label,
                     std::span<const Attribute> attributes);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_OBJECT_CLASS_H_
