// SPDX-License-Identifier: Apache-2.0
// Reads DeepStream's objects in space (NvDsBbox3dObject, 8.0 and later): those of a scene, and what
// events of that type carry. Plain functions; one thread at a time.
#ifndef DSMSG_MSGCONV_BOX3D_READER_H_
#define DSMSG_MSGCONV_BOX3D_READER_H_

#include <cstddef>
#include <deque>
#include <string>

#include "msgconv/model.h"

namespace dsmsg::msgconv {

/// Sets the object's id, class, confidence, attributes and box. `size`: that of the structure in
/// its release. Texts belong to the structure; `names` keeps those that are made here. False: it
/// does not look right.
bool ReadBox3d(const void* from, size_t size, std::deque<std::string>* names, Frame* frame,
               Object* object);

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_BOX3D_READER_H_
