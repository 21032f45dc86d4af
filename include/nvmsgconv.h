/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file nvmsgconv.h
 * @brief The payload library, `libnvds_msgconv.so`: makes messages of what a pipeline found.
 *
 * The functions and structures have the ABI of DeepStream's library of the same name. Your own
 * payload library (property `msg2p-lib` of the converter) exports these functions.
 *
 * Structures: those of events have changed between releases of DeepStream; the ones here are those
 * of 6.4 to 7.0. A program that uses DeepStream includes DeepStream's nvdsmeta_schema.h before this
 * file, which then leaves its own out. The library itself asks the DeepStream that is loaded in
 * the process for the size of its structures and reads events accordingly (docs/payloads.md).
 *
 * Threads: all functions may be called from any thread; calls with one context wait for each other.
 * Errors: a wrong argument gives NULL and one log line that says what to do.
 */
#ifndef NVMSGCONV_H_
#define NVMSGCONV_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef NVDSMETA_H_ /* of DeepStream's nvdsmeta_schema.h */
#define NVDSMETA_H_

/** What happened. */
typedef enum NvDsEventType {
  NVDS_EVENT_ENTRY = 0,
  NVDS_EVENT_EXIT = 1,
  NVDS_EVENT_MOVING = 2,
  NVDS_EVENT_STOPPED = 3,
  NVDS_EVENT_EMPTY = 4,
  NVDS_EVENT_PARKED = 5,
  NVDS_EVENT_RESET = 6,
  NVDS_EVENT_RESERVED = 0x100,
  NVDS_EVENT_CUSTOM = 0x101,
  NVDS_EVENT_FORCE32 = 0x7FFFFFFF
} NvDsEventType;

/** What it happened to; decides the structure at NvDsEventMsgMeta::extMsg. */
typedef enum NvDsObjectType {
  NVDS_OBJECT_TYPE_VEHICLE = 0, /**< NvDsVehicleObject */
  NVDS_OBJECT_TYPE_PERSON = 1,  /**< NvDsPersonObject */
  NVDS_OBJECT_TYPE_FACE = 2,    /**< NvDsFaceObject */
  NVDS_OBJECT_TYPE_BAG = 3,
  NVDS_OBJECT_TYPE_BICYCLE = 4,
  NVDS_OBJECT_TYPE_ROADSIGN = 5,
  NVDS_OBJECT_TYPE_VEHICLE_EXT = 6, /**< NvDsVehicleObject and a mask */
  NVDS_OBJECT_TYPE_PERSON_EXT = 7,
  NVDS_OBJECT_TYPE_FACE_EXT = 8,
  NVDS_OBJECT_TYPE_PRODUCT = 9,      /**< NvDsProductObject; 11 from DeepStream 8.0 */
  NVDS_OBJECT_TYPE_PRODUCT_EXT = 10, /**< 12 from DeepStream 8.0 */
  NVDS_OBJECT_TYPE_RESERVED = 0x100,
  NVDS_OBJECT_TYPE_CUSTOM = 0x101,
  NVDS_OBJECT_TYPE_UNKNOWN = 0x102, /**< a class named by NvDsEventMsgMeta::objectId */
  NVDS_OBJECT_TYPE_FORCE32 = 0x7FFFFFFF
} NvDsObjectType;

/** Form of the messages. */
typedef enum NvDsPayloadType {
  NVDS_PAYLOAD_DEEPSTREAM = 0,          /**< JSON, a message for each object */
  NVDS_PAYLOAD_DEEPSTREAM_MINIMAL = 1,  /**< JSON, a message for all objects of a frame */
  NVDS_PAYLOAD_DEEPSTREAM_PROTOBUF = 2, /**< protobuf nv.Frame (nv.proto) */
  NVDS_PAYLOAD_RESERVED = 0x100,
  NVDS_PAYLOAD_CUSTOM = 0x101, /**< known only to custom payload libraries */
  NVDS_PAYLOAD_FORCE32 = 0x7FFFFFFF
} NvDsPayloadType;

/** A rectangle, pixels. The order is top first. */
typedef struct NvDsRect {
  float top, left, width, height;
} NvDsRect;

/** Degrees and meters. */
typedef struct NvDsGeoLocation {
  double lat, lon, alt;
} NvDsGeoLocation;

/** On a plan of the site. */
typedef struct NvDsCoordinate {
  double x, y, z;
} NvDsCoordinate;

/** Numbers by which an object is recognised. */
typedef struct NvDsObjectSignature {
  double* signature;
  unsigned size; /**< how many */
} NvDsObjectSignature;

typedef struct NvDsVehicleObject {
  char *type, *make, *model, *color, *region, *license;
} NvDsVehicleObject;

typedef struct NvDsPersonObject {
  char *gender, *hair, *cap, *apparel;
  unsigned age; /**< years */
} NvDsPersonObject;

typedef struct NvDsFaceObject {
  char *gender, *hair, *cap, *glasses, *facialhair, *name, *eyecolor;
  unsigned age; /**< years */
} NvDsFaceObject;

typedef struct NvDsProductObject {
  char *brand, *type, *shape;
} NvDsProductObject;

struct _GList; /* GLib's. NOLINT(bugprone-reserved-identifier) */
/** The structures with a mask: a GList of GArray of double (x, y, x, y, ...), one for each polygon.
 */
typedef struct NvDsVehicleObjectExt {
  char *type, *make, *model, *color, *region, *license;
  struct _GList* mask;
} NvDsVehicleObjectExt;

typedef struct NvDsPersonObjectExt {
  char *gender, *hair, *cap, *apparel;
  unsigned age;
  struct _GList* mask;
} NvDsPersonObjectExt;

typedef struct NvDsFaceObjectWithExt {
  char *gender, *hair, *cap, *glasses, *facialhair, *name, *eyecolor;
  unsigned age;
  struct _GList* mask;
} NvDsFaceObjectExt;

typedef struct NvDsProductObjectExt {
  char *brand, *type, *shape;
  struct _GList* mask;
} NvDsProductObjectExt;

/** A joint of a body. */
typedef struct NvDsJoint {
  float x, y, z;    /**< pixels */
  float confidence; /**< 0 to 1; 0: not seen */
} NvDsJoint;

/** A body. */
typedef struct NvDsJoints {
  NvDsJoint* joints; /**< in the order of docs/payloads.md, "Joints" */
  int num_joints;
  int pose_type; /**< 0: 2-D, 1: 2.5-D, 2: 3-D */
} NvDsJoints;

typedef struct NvDsEmbedding {
  float* embedding_vector;
  unsigned embedding_length;
} NvDsEmbedding;

typedef struct NvDsConvexHull {
  int* points;
  unsigned numFilled;
} NvDsConvexHull;

/** Part of the layout; not part of any message here. */
typedef struct NvDs3DTracking {
  float ptWorldFeet[2];
  float ptImgFeet[2];
  float visibility;
  NvDsConvexHull convexHull;
} NvDs3DTracking;

/** An event: an object, and what happened to it. */
typedef struct NvDsEventMsgMeta {
  NvDsEventType type;
  NvDsObjectType objType;
  NvDsRect bbox;
  NvDsGeoLocation location;
  NvDsCoordinate coordinate;
  NvDsObjectSignature objSignature;
  int objClassId;
  int sensorId;    /**< number of the group [sensorN] */
  int moduleId;    /**< number of the group [analyticsN] */
  int placeId;     /**< number of the group [placeN] */
  int componentId; /**< who attached the event */
  int frameId;     /**< number of the frame */
  double confidence;
  uint64_t trackingId; /**< all bits set: not tracked */
  char* ts;            /**< time, RFC 3339 */
  char* objectId;      /**< class name */
  char* sensorStr;     /**< name of the sensor */
  char* otherAttrs;    /**< any text: a custom message here */
  char* videoPath;
  void* extMsg; /**< what the class has beyond these fields, see NvDsObjectType */
  unsigned extMsgSize;
  NvDsJoints pose;
  NvDsEmbedding embedding;
  bool has3DTracking;
  NvDs3DTracking singleView3DTracking;
} NvDsEventMsgMeta;

/** An entry of the list that the generating functions get. */
typedef struct NvDsEvent {
  NvDsEventType eventType;
  NvDsEventMsgMeta* metadata;
} NvDsEvent;

/** A message. */
typedef struct NvDsPayload {
  void* payload;        /**< any bytes; what this library makes is followed by a NUL */
  unsigned payloadSize; /**< how many, without that NUL */
  unsigned componentId; /**< the component that attached the event; 0: none */
} NvDsPayload;

#endif /* NVDSMETA_H_ */

/** What nvds_msg2p_ctx_create() makes. */
typedef struct NvDsMsg2pCtx {
  NvDsPayloadType payloadType;
  void* privData; /**< the library's own */
} NvDsMsg2pCtx;

/** What DeepStream's element passes as `metadata_info`. Since DeepStream 8.0 there is a fourth
 * member, for "ds3d" buffers; it is not read. */
typedef struct {
  void* objMeta;   /**< NvDsObjectMeta, or NULL for all objects of the frame */
  void* frameMeta; /**< NvDsFrameMeta, NvDsAudioFrameMeta; NULL with "ds3d" */
  char* mediaType; /**< "video", "audio" or "ds3d" */
} NvDsMsg2pMetaInfo;

/**
 * Reads a configuration.
 * @param file  INI, YAML (.yml, .yaml) or CSV (.csv) as docs/payloads.md says; NULL or "": none,
 *              messages then have no place, sensor and analyticsModule.
 * @param type  form of the messages: 0, 1 or 2.
 * @return a context for the other functions, or NULL: the log says which line of the file is wrong,
 *         or which types there are.
 */
NvDsMsg2pCtx* nvds_msg2p_ctx_create(const char* file, NvDsPayloadType type);

/** Ends a context. NULL is allowed. Payloads stay valid until nvds_msg2p_release(). */
void nvds_msg2p_ctx_destroy(NvDsMsg2pCtx* ctx);

/**
 * Makes one message of events.
 * @param events  borrowed; none of their `metadata` may be NULL.
 * @param size    how many. With the full form only the first one goes into the message; a warning
 *                says so. 0: a message without objects (not of the full form), whose frame, time
 *                and sensor are those of events[0].
 * @return a message, to be freed with nvds_msg2p_release(), or NULL.
 */
NvDsPayload* nvds_msg2p_generate(NvDsMsg2pCtx* ctx, NvDsEvent* events, unsigned size);

/**
 * Makes all messages of events: with the full form one for each event, else one for each sensor.
 * @param payload_count  gets the number of messages.
 * @return a list, to be freed with g_free() (free()), of messages, to be freed with
 *         nvds_msg2p_release(); NULL with a count of 0 if there are no messages.
 */
NvDsPayload** nvds_msg2p_generate_multiple(NvDsMsg2pCtx* ctx, NvDsEvent* events, unsigned size,
                                           unsigned* payload_count);

/**
 * Makes one message of a frame.
 * @param metadata_info  a DsmsgFrame (dsmsg_frame.h), or DeepStream's NvDsMsg2pMetaInfo: its frame,
 *                       or with the full form the object that it names.
 * @return as nvds_msg2p_generate(). A frame without objects has a message only of the types 1 and 2
 *         in DeepStream's dialect.
 */
NvDsPayload* nvds_msg2p_generate_new(NvDsMsg2pCtx* ctx, void* metadata_info);

/** The same, all messages of the frame, returned as by nvds_msg2p_generate_multiple(). */
NvDsPayload** nvds_msg2p_generate_multiple_new(NvDsMsg2pCtx* ctx, void* metadata_info,
                                               unsigned* payload_count);

/**
 * Frees a message of any of the functions above, or a copy whose structure and bytes came from
 * g_malloc() each (hosts copy payloads with their buffers). The context may be NULL or ended; NULL
 * for the message is allowed.
 */
void nvds_msg2p_release(NvDsMsg2pCtx* ctx, NvDsPayload* payload);

#ifdef __cplusplus
}
#endif

#endif /* NVMSGCONV_H_ */
