// SPDX-License-Identifier: Apache-2.0
#include "msgconv/nv_schema.h"

namespace dsmsg::msgconv {
namespace {

using enum NvType;

constexpr NvField kNvEmbeddingFields[] = {
    {"vector", 1, kFloat, true, nullptr},
    {"info", 2, kMap, false, nullptr},
};
constexpr NvMessage kNvEmbedding = {"nv.Embedding", kNvEmbeddingFields};

constexpr NvField kNvBboxFields[] = {
    {"leftX", 1, kFloat, false, nullptr},
    {"topY", 2, kFloat, false, nullptr},
    {"rightX", 3, kFloat, false, nullptr},
    {"bottomY", 4, kFloat, false, nullptr},
    {"embeddings", 5, kMessage, true, &kNvEmbedding},
    {"confidence", 6, kFloat, false, nullptr},
    {"info", 7, kMap, false, nullptr},
};
constexpr NvMessage kNvBbox = {"nv.Bbox", kNvBboxFields};

constexpr NvField kNvPoseKeypointFields[] = {
    {"name", 1, kString, false, nullptr},
    {"coordinates", 2, kFloat, true, nullptr},
    {"quaternion", 3, kFloat, true, nullptr},
};
constexpr NvMessage kNvPoseKeypoint = {"nv.Pose.Keypoint", kNvPoseKeypointFields};

constexpr NvField kNvPoseActionFields[] = {
    {"type", 1, kString, false, nullptr},
    {"confidence", 2, kFloat, false, nullptr},
};
constexpr NvMessage kNvPoseAction = {"nv.Pose.Action", kNvPoseActionFields};

constexpr NvField kNvPoseFields[] = {
    {"type", 1, kString, false, nullptr},
    {"keypoints", 2, kMessage, true, &kNvPoseKeypoint},
    {"actions", 3, kMessage, true, &kNvPoseAction},
};
constexpr NvMessage kNvPose = {"nv.Pose", kNvPoseFields};

constexpr NvField kNvGazeFields[] = {
    {"x", 1, kFloat, false, nullptr},   {"y", 2, kFloat, false, nullptr},
    {"z", 3, kFloat, false, nullptr},   {"theta", 4, kFloat, false, nullptr},
    {"phi", 5, kFloat, false, nullptr},
};
constexpr NvMessage kNvGaze = {"nv.Gaze", kNvGazeFields};

constexpr NvField kNvLipActivityFields[] = {
    {"classLabel", 1, kString, false, nullptr},
};
constexpr NvMessage kNvLipActivity = {"nv.LipActivity", kNvLipActivityFields};

constexpr NvField kNvCoordinateFields[] = {
    {"x", 1, kDouble, false, nullptr},
    {"y", 2, kDouble, false, nullptr},
    {"z", 3, kDouble, false, nullptr},
};
constexpr NvMessage kNvCoordinate = {"nv.Coordinate", kNvCoordinateFields};

constexpr NvField kNvLocationFields[] = {
    {"lat", 1, kDouble, false, nullptr},
    {"lon", 2, kDouble, false, nullptr},
    {"alt", 3, kDouble, false, nullptr},
};
constexpr NvMessage kNvLocation = {"nv.Location", kNvLocationFields};

constexpr NvField kNvBbox3dFields[] = {
    {"coordinates", 1, kDouble, true, nullptr},
    {"embeddings", 2, kMessage, true, &kNvEmbedding},
    {"confidence", 3, kFloat, false, nullptr},
    {"info", 4, kMap, false, nullptr},
};
constexpr NvMessage kNvBbox3d = {"nv.Bbox3d", kNvBbox3dFields};

constexpr NvField kNvObjectFields[] = {
    {"id", 1, kString, false, nullptr},
    {"bbox", 2, kMessage, false, &kNvBbox},
    {"type", 3, kString, false, nullptr},
    {"confidence", 4, kFloat, false, nullptr},
    {"info", 5, kMap, false, nullptr},
    {"embedding", 6, kMessage, false, &kNvEmbedding},
    {"pose", 7, kMessage, false, &kNvPose},
    {"gaze", 8, kMessage, false, &kNvGaze},
    {"lipActivity", 9, kMessage, false, &kNvLipActivity},
    {"speed", 10, kFloat, false, nullptr},
    {"dir", 11, kFloat, true, nullptr},
    {"coordinate", 12, kMessage, false, &kNvCoordinate},
    {"location", 13, kMessage, false, &kNvLocation},
    {"bbox3d", 14, kMessage, false, &kNvBbox3d},
};
constexpr NvMessage kNvObject = {"nv.Object", kNvObjectFields};

constexpr NvField kNvTypeMetricsFields[] = {
    {"id", 1, kString, false, nullptr},       {"type", 2, kString, false, nullptr},
    {"count", 3, kInt32, false, nullptr},     {"coordinates", 4, kMessage, true, &kNvCoordinate},
    {"objectIds", 5, kString, true, nullptr}, {"info", 6, kMap, false, nullptr},
};
constexpr NvMessage kNvTypeMetrics = {"nv.TypeMetrics", kNvTypeMetricsFields};

constexpr NvField kNvPoint2DFields[] = {
    {"x", 1, kDouble, false, nullptr},
    {"y", 2, kDouble, false, nullptr},
};
constexpr NvMessage kNvPoint2D = {"nv.Point2D", kNvPoint2DFields};

constexpr NvField kNvClusterFields[] = {
    {"points", 1, kMessage, true, &kNvPoint2D},
};
constexpr NvMessage kNvCluster = {"nv.Cluster", kNvClusterFields};

constexpr NvField kNvSocialDistancingFields[] = {
    {"threshold", 1, kDouble, false, nullptr},
    {"proximityDetections", 2, kInt32, false, nullptr},
    {"clusters", 3, kMessage, true, &kNvCluster},
};
constexpr NvMessage kNvSocialDistancing = {"nv.SocialDistancing", kNvSocialDistancingFields};

constexpr NvField kNvSegmentationFields[] = {
    {"mask", 1, kInt32, true, nullptr},
    {"info", 2, kMap, false, nullptr},
};
constexpr NvMessage kNvSegmentation = {"nv.Segmentation", kNvSegmentationFields};

constexpr NvField kNvInteractionFields[] = {
    {"id", 1, kString, false, nullptr},
    {"objectIds", 2, kString, true, nullptr},
    {"coordinates", 3, kMessage, true, &kNvCoordinate},
    {"description", 4, kString, false, nullptr},
    {"info", 5, kMap, false, nullptr},
};
constexpr NvMessage kNvInteraction = {"nv.Interaction", kNvInteractionFields};

constexpr NvField kNvCongestionFields[] = {
    {"id", 1, kString, false, nullptr},
    {"objectIds", 2, kString, true, nullptr},
    {"amount", 3, kFloat, false, nullptr},
    {"info", 4, kMap, false, nullptr},
};
constexpr NvMessage kNvCongestion = {"nv.Congestion", kNvCongestionFields};

constexpr NvField kNvFrameFields[] = {
    {"version", 1, kString, false, nullptr},
    {"id", 2, kString, false, nullptr},
    {"timestamp", 3, kTime, false, nullptr},
    {"sensorId", 4, kString, false, nullptr},
    {"objects", 5, kMessage, true, &kNvObject},
    {"fov", 6, kMessage, true, &kNvTypeMetrics},
    {"rois", 7, kMessage, true, &kNvTypeMetrics},
    {"socialDistancing", 8, kMessage, false, &kNvSocialDistancing},
    {"segmentation", 9, kMessage, false, &kNvSegmentation},
    {"interactions", 10, kMessage, true, &kNvInteraction},
    {"congestions", 11, kMessage, true, &kNvCongestion},
    {"info", 12, kMap, false, nullptr},
};
constexpr NvMessage kNvFrame = {"nv.Frame", kNvFrameFields};

constexpr NvField kNvPlaceFields[] = {
    {"id", 1, kString, false, nullptr},
    {"name", 2, kString, false, nullptr},
    {"type", 3, kString, false, nullptr},
    {"location", 4, kMessage, false, &kNvLocation},
    {"coordinate", 5, kMessage, false, &kNvCoordinate},
    {"info", 6, kMap, false, nullptr},
};
constexpr NvMessage kNvPlace = {"nv.Place", kNvPlaceFields};

constexpr NvField kNvSensorFields[] = {
    {"id", 1, kString, false, nullptr},
    {"type", 2, kString, false, nullptr},
    {"description", 3, kString, false, nullptr},
    {"location", 4, kMessage, false, &kNvLocation},
    {"coordinate", 5, kMessage, false, &kNvCoordinate},
    {"info", 6, kMap, false, nullptr},
};
constexpr NvMessage kNvSensor = {"nv.Sensor", kNvSensorFields};

constexpr NvField kNvAnalyticsModuleFields[] = {
    {"id", 1, kString, false, nullptr},     {"description", 2, kString, false, nullptr},
    {"source", 3, kString, false, nullptr}, {"version", 4, kString, false, nullptr},
    {"info", 5, kMap, false, nullptr},
};
constexpr NvMessage kNvAnalyticsModule = {"nv.AnalyticsModule", kNvAnalyticsModuleFields};

constexpr NvField kNvEventFields[] = {
    {"id", 1, kString, false, nullptr},
    {"type", 2, kString, false, nullptr},
    {"info", 5, kMap, false, nullptr},
};
constexpr NvMessage kNvEvent = {"nv.Event", kNvEventFields};

constexpr NvField kNvMessageFields[] = {
    {"messageid", 1, kString, false, nullptr},
    {"mdsversion", 2, kString, false, nullptr},
    {"timestamp", 3, kTime, false, nullptr},
    {"place", 4, kMessage, false, &kNvPlace},
    {"sensor", 5, kMessage, false, &kNvSensor},
    {"analyticsModule", 6, kMessage, false, &kNvAnalyticsModule},
    {"object", 7, kMessage, false, &kNvObject},
    {"event", 8, kMessage, false, &kNvEvent},
    {"videoPath", 9, kString, false, nullptr},
};
constexpr NvMessage kNvMessage = {"nv.Message", kNvMessageFields};

}  // namespace

const NvMessage& NvFrame() { return kNvFrame; }
const NvMessage& NvMessageOfObject() { return kNvMessage; }

}  // namespace dsmsg::msgconv
