// SPDX-License-Identifier: Apache-2.0
// The picture that the camera sees, drawn with characters: lines, borders of zones and people, and
// below it what the messages say was counted. Values.
#ifndef DSMSG_DEMO_PICTURE_H_
#define DSMSG_DEMO_PICTURE_H_

#include <string>
#include <vector>

#include "space/rules.h"
#include "tally.h"

namespace dsmsg_demo {

/// The rows of the drawing. `rules`: with fractions; those of the only camera are drawn. `width`,
/// `height`: of the video, which the boxes of `scene` refer to.
std::vector<std::string> DrawPicture(const dsmsg::space::Rules& rules, const Tally::Scene& scene,
                                     int width, int height);
/// "path.right 3, path.left 1; place 2 people", ...
std::string DescribeCounts(const Tally::Scene& scene);

}  // namespace dsmsg_demo

#endif  // DSMSG_DEMO_PICTURE_H_
