// SPDX-License-Identifier: Apache-2.0
/**
 * @file dsmsg_meta.h
 * @brief Event metadata that an application attaches to a buffer, for dsmsgconv to make a message
 * of: an event, an object that no detector attached, classifier results, a pose, a mask, an
 * embedding, custom messages of the application.
 *
 * There is no library to link: this is GStreamer's own custom metadata (GstCustomMeta, GStreamer
 * 1.20), named #DSMSG_EVENT_META, whose GstStructure has the fields below. A program that
 * cannot include C headers sets the same fields with the functions of GStreamer
 * (gst_meta_register_custom() unless the name is known, gst_buffer_add_custom_meta(),
 * gst_structure_set()); docs/elements.md shows that in Python.
 *
 * Every field may be missing. One metadata makes one object; a buffer may have several.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | source-id | uint | camera; without it the converter's property source-id |
 * | component-id | uint | the component that attached it, for the property comp-id |
 * | event | string | entry, exit, moving, stopped, parked, empty, reset, or a word of your own |
 * | event-id | string | without it a random UUID |
 * | label | string | class of the object |
 * | kind | string | vehicle, person, face, product, other; without it the label decides |
 * | id | uint64 | tracking id |
 * | object-id | string | an id that is not a number; takes precedence over id |
 * | confidence | double | 0 to 1 |
 * | left, top, width, height | double | box, pixels of this buffer's frame |
 * | speed, direction, orientation | double | as the consumer reads them |
 * | lat, lon, alt | double | place on earth: degrees, degrees, metres |
 * | x, y, z | double | place in the camera's own coordinates |
 * | time | uint64 | UTC, nanoseconds since 1970; without it the frame's |
 * | timestamp | string | the same as text, copied into the message as it is |
 * | video-path | string | where the recording is |
 * | sensor-group, place-group, analytics-group | int | groups of the configuration file |
 * | attributes | GST_TYPE_LIST of GstStructure | name, value (string), confidence (double) |
 * | embedding | GBytes | floats |
 * | embedding-info | GST_TYPE_LIST of GstStructure | name, value (string) |
 * | signature | GBytes | doubles |
 * | mask | GST_TYPE_LIST of GBytes | each a closed polygon: floats x, y, x, y ... in pixels |
 * | pose-type | string | for example pose25D |
 * | keypoints | GBytes | floats, 4 for each point: x, y, z, confidence |
 * | keypoint-names | G_TYPE_STRV | names of the points, in that order |
 * | actions | GST_TYPE_LIST of GstStructure | type (string), confidence (double) |
 * | gaze | GBytes | 5 floats: x, y, z, theta, phi |
 * | lip-activity | string | class of a speaking classifier |
 * | custom-messages | G_TYPE_STRV | go into the message as customMessage |
 *
 * Threads: as for any metadata, only the sole owner of a buffer may change it
 * (gst_buffer_is_writable()). Everything is copied. dsmsg_buffer_add_event() returns NULL for a
 * buffer that may not be changed; the other functions do nothing when the event, or what is to be
 * added, is NULL.
 */
#ifndef DSMSG_META_H_
#define DSMSG_META_H_

#include <gst/gst.h>

/* NOLINTBEGIN(modernize-use-nullptr,modernize-redundant-void-arg): this is C */
G_BEGIN_DECLS

/** Name of the custom metadata, and of its structure. */
#define DSMSG_EVENT_META "DsmsgEventMeta"

/** Makes the name known to GStreamer, once; dsmsg_buffer_add_event() does it by itself. */
static inline void dsmsg_event_meta_register(void) {
  static gsize once = 0;
  if (g_once_init_enter(&once)) {
    static const gchar* no_tags[] = {NULL};
    if (gst_meta_get_info(DSMSG_EVENT_META) == NULL)
      gst_meta_register_custom(DSMSG_EVENT_META, no_tags, NULL, NULL, NULL);
    g_once_init_leave(&once, 1);
  }
}

/**
 * Attaches an event about an object.
 * @param buffer writable
 * @param event entry, exit, ..., or NULL: the message is about the object alone
 * @param label class of the object, or NULL
 * @return the event's fields, owned by the buffer; add to them with the functions below or with
 *         gst_structure_set()
 */
static inline GstStructure* dsmsg_buffer_add_event(GstBuffer* buffer, const gchar* event,
                                                   const gchar* label) {
  GstCustomMeta* meta;
  GstStructure* fields;
  if (!GST_IS_BUFFER(buffer) || !gst_buffer_is_writable(buffer)) return NULL;
  dsmsg_event_meta_register();
  meta = gst_buffer_add_custom_meta(buffer, DSMSG_EVENT_META);
  if (meta == NULL) return NULL;
  fields = gst_custom_meta_get_structure(meta);
  if (event != NULL) gst_structure_set(fields, "event", G_TYPE_STRING, event, NULL);
  if (label != NULL) gst_structure_set(fields, "label", G_TYPE_STRING, label, NULL);
  return fields;
}

/** The box of the object, in pixels of the buffer's frame. */
static inline void dsmsg_event_set_box(GstStructure* event, gdouble left, gdouble top,
                                       gdouble width, gdouble height) {
  if (event == NULL) return;
  gst_structure_set(event, "left", G_TYPE_DOUBLE, left, "top", G_TYPE_DOUBLE, top, "width",
                    G_TYPE_DOUBLE, width, "height", G_TYPE_DOUBLE, height, NULL);
}

/** Tracking id and confidence (0 to 1; below 0: unknown). */
static inline void dsmsg_event_set_object(GstStructure* event, guint64 id, gdouble confidence) {
  if (event == NULL) return;
  gst_structure_set(event, "id", G_TYPE_UINT64, id, NULL);
  if (confidence >= 0) gst_structure_set(event, "confidence", G_TYPE_DOUBLE, confidence, NULL);
}

/** Appends to a field that is a list; takes the value over and empties it. */
static inline void dsmsg_event_append(GstStructure* event, const gchar* field, GValue* value) {
  GValue list = G_VALUE_INIT;
  const GValue* before = gst_structure_get_value(event, field);
  g_value_init(&list, GST_TYPE_LIST);
  if (before != NULL && GST_VALUE_HOLDS_LIST(before)) g_value_copy(before, &list);
  gst_value_list_append_and_take_value(&list, value);
  gst_structure_take_value(event, field, &list);
}

/** Appends a structure of a text and a confidence (below 0: unknown) to a field. */
static inline void dsmsg_event_append_text(GstStructure* event, const gchar* field,
                                           const gchar* name_field, const gchar* name,
                                           const gchar* value, gdouble confidence) {
  GValue item = G_VALUE_INIT;
  GstStructure* one;
  if (event == NULL || name == NULL) return;
  one = gst_structure_new("item", name_field, G_TYPE_STRING, name, NULL);
  if (value != NULL) gst_structure_set(one, "value", G_TYPE_STRING, value, NULL);
  if (confidence >= 0) gst_structure_set(one, "confidence", G_TYPE_DOUBLE, confidence, NULL);
  g_value_init(&item, GST_TYPE_STRUCTURE);
  g_value_take_boxed(&item, one);
  dsmsg_event_append(event, field, &item);
}

/** A classifier's result: "color" = "blue". Confidence below 0: unknown. */
static inline void dsmsg_event_add_attribute(GstStructure* event, const gchar* name,
                                             const gchar* value, gdouble confidence) {
  dsmsg_event_append_text(event, "attributes", "name", name, value, confidence);
}

/** What a body with a pose does: "walking". */
static inline void dsmsg_event_add_action(GstStructure* event, const gchar* type,
                                          gdouble confidence) {
  dsmsg_event_append_text(event, "actions", "type", type, NULL, confidence);
}

/** An embedding of @p count floats; @p model may be NULL. */
static inline void dsmsg_event_set_embedding(GstStructure* event, const gfloat* values, gsize count,
                                             const gchar* model) {
  GBytes* bytes;
  if (event == NULL || values == NULL) return;
  bytes = g_bytes_new(values, count * sizeof(gfloat));
  gst_structure_set(event, "embedding", G_TYPE_BYTES, bytes, NULL);
  g_bytes_unref(bytes);
  if (model != NULL) dsmsg_event_append_text(event, "embedding-info", "name", "model", model, -1);
}

/** One closed polygon of the object's outline: @p points pairs x, y in pixels. */
static inline void dsmsg_event_add_mask(GstStructure* event, const gfloat* xy, gsize points) {
  GValue item = G_VALUE_INIT;
  if (event == NULL || xy == NULL) return;
  g_value_init(&item, G_TYPE_BYTES);
  g_value_take_boxed(&item, g_bytes_new(xy, points * 2 * sizeof(gfloat)));
  dsmsg_event_append(event, "mask", &item);
}

/**
 * A pose.
 * @param type for example "pose25D"
 * @param xyzc 4 floats for each point: x, y, z, confidence
 * @param points number of points
 * @param names NULL, or an array of @p points names that ends with NULL
 */
static inline void dsmsg_event_set_pose(GstStructure* event, const gchar* type, const gfloat* xyzc,
                                        gsize points, const gchar* const* names) {
  GBytes* bytes;
  if (event == NULL || xyzc == NULL) return;
  bytes = g_bytes_new(xyzc, points * 4 * sizeof(gfloat));
  gst_structure_set(event, "keypoints", G_TYPE_BYTES, bytes, NULL);
  g_bytes_unref(bytes);
  if (type != NULL) gst_structure_set(event, "pose-type", G_TYPE_STRING, type, NULL);
  if (names != NULL) gst_structure_set(event, "keypoint-names", G_TYPE_STRV, names, NULL);
}

/** Texts of the application, an array that ends with NULL: customMessage of the message. */
static inline void dsmsg_event_set_custom_messages(GstStructure* event,
                                                   const gchar* const* messages) {
  if (event == NULL || messages == NULL) return;
  gst_structure_set(event, "custom-messages", G_TYPE_STRV, messages, NULL);
}

G_END_DECLS
/* NOLINTEND(modernize-use-nullptr,modernize-redundant-void-arg) */

#endif /* DSMSG_META_H_ */
