// SPDX-License-Identifier: Apache-2.0
#include "picture.h"

#include <algorithm>
#include <cmath>

namespace dsmsg_demo {
namespace {

using dsmsg::space::FilePoint;

constexpr int kColumns = 72, kRows = 22;

class Canvas {
 public:
  Canvas() : rows_(kRows, std::string(kColumns, ' ')) {}

  /// Parts of the picture. What is outside is not drawn.
  void Set(FilePoint at, char c) {
    const int column = static_cast<int>(std::floor(at.x * kColumns));
    const int row = static_cast<int>(std::floor(at.y * kRows));
    if (column >= 0 && column < kColumns && row >= 0 && row < kRows)
      rows_[static_cast<size_t>(row)][static_cast<size_t>(column)] = c;
  }
  void Stroke(FilePoint from, FilePoint to, char c) {
    const int steps = 2 * kColumns;
    for (int i = 0; i <= steps; ++i) {
      const double t = static_cast<double>(i) / steps;
      Set({from.x + (to.x - from.x) * t, from.y + (to.y - from.y) * t}, c);
    }
  }
  void Write(FilePoint at, const std::string& text) {
    for (size_t i = 0; i < text.size(); ++i)
      Set({at.x + static_cast<double>(i) / kColumns, at.y}, text[i]);
  }
  std::vector<std::string> Framed() const {
    const std::string edge = "+" + std::string(kColumns, '-') + "+";
    std::vector<std::string> rows = {edge};
    for (const std::string& row : rows_) rows.push_back("|" + row + "|");
    rows.push_back(edge);
    return rows;
  }

 private:
  std::vector<std::string> rows_;
};

}  // namespace

std::vector<std::string> DrawPicture(const dsmsg::space::Rules& rules, const Tally::Scene& scene,
                                     int width, int height) {
  Canvas canvas;
  if (const auto* const source = rules.Find(0, {})) {
    for (const auto& zone : source->zones) {
      const auto& points = zone.shape.points;
      for (size_t i = 0; i < points.size(); ++i)
        canvas.Stroke(points[i], points[(i + 1) % points.size()], '.');
      canvas.Write({points[0].x + 0.02, points[0].y + 0.05}, zone.name);
    }
    for (const auto& line : source->lines) {
      const auto& points = line.shape.points;
      for (size_t i = 0; i + 1 < points.size(); ++i) canvas.Stroke(points[i], points[i + 1], '=');
      canvas.Write(points[0], line.name);
    }
  }
  for (const Tally::Person& person : scene.people) {
    const FilePoint feet{person.x / std::max(width, 1), person.y / std::max(height, 1)};
    canvas.Set({feet.x, feet.y - 1.0 / kRows}, 'o');
    canvas.Set(feet, '^');
    canvas.Write({feet.x + 1.0 / kColumns, feet.y}, person.id);
  }
  return canvas.Framed();
}

std::string DescribeCounts(const Tally::Scene& scene) {
  std::string text;
  for (const auto& [name, value] : scene.totals)
    text += (text.empty() ? "crossings: " : ", ") + name + " " + std::to_string(value);
  for (const auto& [name, value] : scene.zones)
    text += (text.empty() ? "in " : "   in ") + name + ": " + std::to_string(value);
  return text;
}

}  // namespace dsmsg_demo
