/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file dsmsg_frame.h
 * @brief The detections of one frame, as a payload library gets them from dsmsg's elements, and as
 * a program gives them to `libnvds_msgconv.so` (nvds_msg2p_generate_new() and
 * nvds_msg2p_generate_multiple_new(), nvmsgconv.h), without DeepStream.
 *
 * A payload library that exports dsmsg_msg2p_frame_version() gets a DsmsgFrame as `metadata_info`.
 * One that does not was written for DeepStream: it gets events (NvDsEvent), never this structure.
 *
 * Ownership: everything is borrowed; a library copies what it keeps beyond the call.
 * Text: UTF-8, ends with a NUL; NULL and "" both mean "not known". Lists: NULL with a count of 0.
 * Versions: fields are only ever added at the end. Read an object at index i at
 * (const char*)frame->objects + i * frame->object_size, which DSMSG_FRAME_OBJECT() does, and a
 * field only if the structure's size says that it is there.
 */
#ifndef DSMSG_FRAME_H_
#define DSMSG_FRAME_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** First field of every DsmsgFrame. Not the address of anything on any 64-bit system, so that it
 * cannot be mistaken for DeepStream's structure, which begins with a pointer. */
#define DSMSG_FRAME_MAGIC UINT64_C(0xD5D5464D45000001)
/** Version of this file's structures. */
#define DSMSG_FRAME_VERSION 3u

/** What happened to the object. */
typedef enum {
  DSMSG_EVENT_NONE = 0,
  DSMSG_EVENT_ENTRY = 1,
  DSMSG_EVENT_EXIT = 2,
  DSMSG_EVENT_MOVING = 3,
  DSMSG_EVENT_STOPPED = 4,
  DSMSG_EVENT_PARKED = 5,
  DSMSG_EVENT_EMPTY = 6,
  DSMSG_EVENT_RESET = 7
} DsmsgEventKind;

/** Kind of object, which decides the member that a full message has for it. */
typedef enum {
  DSMSG_OBJECT_BY_LABEL = 0, /**< as its label says */
  DSMSG_OBJECT_VEHICLE = 1,
  DSMSG_OBJECT_PERSON = 2,
  DSMSG_OBJECT_FACE = 3,
  DSMSG_OBJECT_PRODUCT = 4,
  DSMSG_OBJECT_OTHER = 5
} DsmsgObjectKind;

/** A classifier's result: "color" = "blue". */
typedef struct {
  const char* name;
  const char* value;
  float confidence; /**< 0 to 1; below 0: not known */
  uint32_t made_up; /**< since version 3; 1: the classifier has no name, dsmsg made one up */
} DsmsgAttribute;

/** A closed polygon: x, y, x, y, ... in pixels of the pipeline's frame. */
typedef struct {
  const float* points;
  uint32_t point_count; /**< pairs of numbers */
  uint32_t reserved;
} DsmsgPolygon;

/** A joint of a body, or any other point with a name. */
typedef struct {
  const char* name;
  double x, y, z;   /**< pixels, or space for a pose of type "pose3D" */
  float confidence; /**< 0 to 1 */
  uint32_t has_rotation;
  float rotation[4]; /**< quaternion x, y, z, w */
} DsmsgKeypoint;

/** What a body with a pose does. */
typedef struct {
  const char* type;
  float confidence; /**< 0 to 1 */
  uint32_t reserved;
} DsmsgAction;

/** The pixels of an object within its box. */
typedef struct {
  uint32_t width, height;
  /** Lengths of runs, row by row: pixels that do not belong to it, that do, that do not, ... */
  const uint32_t* runs;
  uint32_t run_count;
  uint32_t reserved;
} DsmsgMask;

/** A box in space. */
typedef struct {
  /** x, y, z, width, length, height, pitch, roll, yaw, and the velocities along x, y, z. */
  float values[12];
  float confidence; /**< 0 to 1 */
  uint32_t embedding_count;
  const float* embedding;
} DsmsgBox3d;

/** What a tracker knows of a body's place in the world from one camera. */
typedef struct {
  float feet[2];    /**< in the picture */
  float ground[2];  /**< the feet, on the ground of the world */
  float visibility; /**< part of it that is seen, 0 to 1 */
  uint32_t hull_count;
  const float* hull; /**< x, y, ...: an outline around the body, in the picture; pairs of numbers */
} DsmsgTrack3d;

/** The class of every pixel. */
typedef struct {
  uint32_t width, height; /**< 0: not known */
  const int32_t* classes; /**< row by row */
  const DsmsgAttribute* info;
  uint32_t class_count, info_count;
} DsmsgSegmentation;

/** Objects that belong together. */
typedef struct {
  const char* id;
  const char* text; /**< their class, or what they do */
  double value;     /**< how many, or how crowded: 0 to 1 */
  const char* const* object_ids;
  const double* coordinates; /**< x, y, z, x, y, z, ... */
  const DsmsgAttribute* info;
  uint32_t object_id_count;
  uint32_t coordinate_count; /**< triples of numbers */
  uint32_t info_count;
  uint32_t reserved;
} DsmsgGroup;

/** A question to a language model, and its answer. */
typedef struct {
  const char *id, *query, *response;
} DsmsgConversation;

/** A list of numbers. */
typedef struct {
  const float* values;
  uint32_t count;
  uint32_t reserved;
} DsmsgVector;

/** What an application found out about the scene of an event. */
typedef struct {
  const DsmsgGroup* fov;          /**< objects in the picture, for each class */
  const DsmsgGroup* interactions; /**< objects that do something together */
  const DsmsgGroup* congestions;  /**< objects in crowded places */
  const DsmsgSegmentation* segmentation;
  const DsmsgAttribute* llm_info; /**< of a language model: its name, version, ... */
  const DsmsgConversation* conversations;
  const DsmsgVector* llm_embeddings;
  uint32_t fov_count, interaction_count, congestion_count;
  uint32_t llm_info_count, conversation_count, llm_embedding_count;
} DsmsgFindings;

/** What a count of a frame is about. */
typedef enum {
  DSMSG_COUNT_CLASS = 0,     /**< objects of a class in the picture */
  DSMSG_COUNT_ZONE = 1,      /**< objects in a zone */
  DSMSG_COUNT_CROWDED = 2,   /**< 1: a zone is crowded, 0: it is not */
  DSMSG_COUNT_LINE = 3,      /**< crossings of a line in this frame */
  DSMSG_COUNT_LINE_TOTAL = 4 /**< crossings of a line since the start */
} DsmsgCountKind;

/** What an analysis of the frame counted. */
typedef struct {
  const char* name; /**< of the zone or line; of a class its name or number */
  uint64_t value;
  uint32_t kind; /**< DsmsgCountKind */
  uint32_t reserved;
} DsmsgCount;

/** When a source took the picture that a scene was seen in. */
typedef struct {
  const char* id;
  uint64_t time_ns; /**< UTC, nanoseconds since 1970 */
} DsmsgSourceTime;

/** Bits of DsmsgObject::present: which of the fields below hold something, and what the object is.
 */
enum {
  DSMSG_HAS_ID = 1u << 0,
  DSMSG_HAS_LABEL_ID = 1u << 1,
  DSMSG_HAS_CONFIDENCE = 1u << 2,
  DSMSG_HAS_LOCATION = 1u << 3,
  DSMSG_HAS_COORDINATE = 1u << 4,
  DSMSG_HAS_GAZE = 1u << 5,
  DSMSG_IS_EVENT = 1u << 6,     /**< an application attached it; otherwise a detector found it */
  DSMSG_IS_CLASSIFIED = 1u << 7 /**< a classifier looked at it, perhaps without a result */
};

/** How messages are written, docs/coming-from-deepstream.md. */
typedef enum {
  DSMSG_DIALECT_NOT_SAID = 0, /**< as the library likes */
  DSMSG_DIALECT_DSMSG = 1,
  DSMSG_DIALECT_DEEPSTREAM = 2
} DsmsgDialect;

/** One detected object. Zeroed, it is a valid object of which nothing is known. */
typedef struct {
  uint32_t present;               /**< DSMSG_HAS_..., DSMSG_IS_EVENT */
  uint32_t kind;                  /**< DsmsgObjectKind */
  uint32_t event;                 /**< DsmsgEventKind */
  uint32_t component_id;          /**< the component that attached it; 0: none */
  uint64_t id;                    /**< tracking id, with DSMSG_HAS_ID */
  const char* id_text;            /**< an id that is not a number; takes precedence over id */
  const char* label;              /**< class name */
  int64_t label_id;               /**< class number, with DSMSG_HAS_LABEL_ID */
  float confidence;               /**< 0 to 1, with DSMSG_HAS_CONFIDENCE */
  float left, top, width, height; /**< pixels of the pipeline's frame */
  float speed, direction, orientation;
  double location[3];   /**< latitude, longitude, altitude, with DSMSG_HAS_LOCATION */
  double coordinate[3]; /**< x, y, z, with DSMSG_HAS_COORDINATE */

  const DsmsgAttribute* attributes;
  const DsmsgPolygon* outlines; /**< of its mask */
  const double* signature;
  const float* embedding;
  const DsmsgAttribute* embedding_info; /**< model, version, ... */
  const float* directions;              /**< a direction of several components */
  const DsmsgKeypoint* keypoints;
  const DsmsgAction* actions;
  const char* const* custom_messages;
  uint32_t attribute_count, outline_count, signature_count, embedding_count;
  uint32_t embedding_info_count, direction_count, keypoint_count, action_count;
  uint32_t custom_message_count;
  float gaze[5];            /**< x, y, z, theta, phi, with DSMSG_HAS_GAZE */
  const char* pose_type;    /**< "pose2D", "pose25D", "pose3D" */
  const char* lip_activity; /**< "speaking", "silent" */

  const char* event_id;   /**< not known: a random UUID */
  const char* event_type; /**< a custom type; takes precedence over event */
  const char* timestamp;  /**< RFC 3339; not known: that of the frame */
  const char* video_path; /**< not known: that of the frame */
  /** Groups of the configuration, counted from 1 (sensor_group=1 is [sensor0]); 0: those of the
   * frame's source. */
  uint32_t sensor_group, place_group, analytics_group, reserved;

  /* Since version 3. */
  float rotation; /**< of the box around its middle, degrees */
  uint32_t zone_count, crowded_zone_count, line_count;
  const char* const* zones; /**< that an analysis saw it in */
  const char* const* crowded_zones;
  const char* const* lines;      /**< that it crosses */
  const char* heading;           /**< the analysis's word for its direction */
  const char* state;             /**< and for its state */
  const DsmsgMask* mask;         /**< NULL: none, as the following */
  const DsmsgBox3d* box3d;       /**< in space */
  const DsmsgTrack3d* track3d;   /**< what its tracker knows of its place in the world */
  const DsmsgFindings* findings; /**< of the application that attached the event */
} DsmsgObject;

/** One frame. */
typedef struct {
  uint64_t magic;             /**< DSMSG_FRAME_MAGIC */
  uint32_t version;           /**< DSMSG_FRAME_VERSION of whoever filled it */
  uint32_t size;              /**< sizeof(DsmsgFrame) there */
  uint32_t object_size;       /**< sizeof(DsmsgObject) there */
  uint32_t object_count;      /**< 0: nothing was seen, and a message is wanted all the same */
  const DsmsgObject* objects; /**< use DSMSG_FRAME_OBJECT() */
  uint64_t number;            /**< counted from 0 for each source */
  uint64_t time_ns;           /**< UTC, nanoseconds since 1970 */
  uint32_t source_id;         /**< group number of the configuration */
  uint32_t width, height;     /**< of the pipeline's frame, pixels; 0: not known */
  uint32_t source_width, source_height; /**< of the camera; 0: as the pipeline */
  uint32_t custom_message_count;
  const char* const* custom_messages;
  const char* sensor_id; /**< not known: the configuration's */
  const char* video_path;
  /* Since version 2. */
  uint32_t dialect; /**< DsmsgDialect: how messages are to be written */
  uint32_t reserved;
  /* Since version 3. */
  const char* source_name;               /**< what the source calls itself */
  const char* source_sensor;             /**< sensor id that the source has of itself */
  const DsmsgSegmentation* segmentation; /**< of the picture; NULL: none */
  const DsmsgCount* counts;
  const DsmsgSourceTime* sources; /**< of a scene that several cameras saw */
  uint32_t count_count, source_count;
} DsmsgFrame;

/** Object `i` of `frame`, whichever version filled it. */
#define DSMSG_FRAME_OBJECT(frame, i)                                              \
  ((const DsmsgObject*)(const void*)((const char*)(const void*)(frame)->objects + \
                                     (size_t)(i) * (frame)->object_size))

/** Exported by a payload library that wants a DsmsgFrame as `metadata_info` of
 * nvds_msg2p_generate_new() and nvds_msg2p_generate_multiple_new().
 * @return the DSMSG_FRAME_VERSION that it was compiled with. */
unsigned dsmsg_msg2p_frame_version(void);

#ifdef __cplusplus
}
#endif

#endif /* DSMSG_FRAME_H_ */
