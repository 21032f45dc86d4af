// SPDX-License-Identifier: Apache-2.0
// A frame written as JSON, to try maps with (docs/maps.md): names are those of a map's values.
// One thread at a time.
#ifndef DSMSG_MSGCONV_SAMPLE_FRAME_H_
#define DSMSG_MSGCONV_SAMPLE_FRAME_H_

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "msgconv/conv_config.h"
#include "msgconv/model.h"

namespace dsmsg::msgconv {

struct Sample {
  Frame frame;
  std::shared_ptr<const ConvConfig> config;  // the groups sensor, place and analytics
  std::deque<std::string> texts;             // that the frame refers to
};

/// `origin` stands for the file's name in errors, which say what is wrong with which value.
Result<std::unique_ptr<Sample>> ReadSample(std::string_view json, const std::string& origin);

/// A sample, as JSON, in which every value has something.
std::string_view FullSample();

}  // namespace dsmsg::msgconv

#endif  // DSMSG_MSGCONV_SAMPLE_FRAME_H_
