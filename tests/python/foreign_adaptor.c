// SPDX-License-Identifier: Apache-2.0
// An adaptor as others write them: the contract without our extensions. do_work returns at once, an
// event may come before connect has returned, and some topics make it misbehave:
//   refuse   send_async answers an error            unknown  completes with UNKNOWN_TOPIC
//   twice    calls back two times                    never    never calls back, not even in
//   disconnect loop     the payload comes back to the subscriber, on a thread of its own
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "nvds_msgapi.h"

typedef struct Pending {
  struct Pending* next;
  nvds_msgapi_send_cb_t callback;
  void* user_ptr;
  NvDsMsgApiErrorType result;
  int times;
} Pending;

typedef struct {
  pthread_mutex_t mutex;
  Pending* first;
  Pending** last;
  nvds_msgapi_subscribe_request_cb_t subscriber;
  void* subscriber_ptr;
  int closed;
} Foreign;

typedef struct {
  Foreign* foreign;
  size_t size;
  char topic[64];
  char payload[];
} Looped;

static char g_version[] = "2.0";
static char g_protocol[] = "FOREIGN";

NvDsMsgApiHandle nvds_msgapi_connect(char* connection_str, nvds_msgapi_connect_cb_t connect_cb,
                                     char* config_path) {
  if (connection_str == NULL || strcmp(connection_str, "nowhere;1") == 0) return NULL;
  if (config_path != NULL && *config_path == '\0') return NULL;
  Foreign* foreign = calloc(1, sizeof *foreign);
  pthread_mutex_init(&foreign->mutex, NULL);
  foreign->last = &foreign->first;
  if (connect_cb != NULL) connect_cb(foreign, NVDS_MSGAPI_EVT_SUCCESS);
  return foreign;
}

static void* Deliver(void* argument) {
  Looped* looped = argument;
  Foreign* foreign = looped->foreign;
  foreign->subscriber(NVDS_MSGAPI_OK, looped->payload, (int)looped->size, looped->topic,
                      foreign->subscriber_ptr);
  free(looped);
  return NULL;
}

static void Loop(Foreign* foreign, const char* topic, const uint8_t* payload, size_t size) {
  Looped* looped = malloc(sizeof *looped + size);
  looped->foreign = foreign;
  looped->size = size;
  strncpy(looped->topic, topic, sizeof looped->topic - 1);
  looped->topic[sizeof looped->topic - 1] = '\0';
  memcpy(looped->payload, payload, size);
  pthread_t thread;
  pthread_create(&thread, NULL, Deliver, looped);
  pthread_join(thread, NULL);
}

NvDsMsgApiErrorType nvds_msgapi_send_async(NvDsMsgApiHandle h_ptr, char* topic,
                                           const uint8_t* payload, size_t nbuf,
                                           nvds_msgapi_send_cb_t send_callback, void* user_ptr) {
  Foreign* foreign = h_ptr;
  if (topic == NULL || strcmp(topic, "refuse") == 0) return NVDS_MSGAPI_ERR;
  if (strcmp(topic, "never") == 0) return NVDS_MSGAPI_OK;
  if (strcmp(topic, "loop") == 0 && foreign->subscriber != NULL) {
    Loop(foreign, topic, payload, nbuf);
  }
  Pending* pending = calloc(1, sizeof *pending);
  pending->callback = send_callback;
  pending->user_ptr = user_ptr;
  pending->times = strcmp(topic, "twice") == 0 ? 2 : 1;
  pending->result = strcmp(topic, "unknown") == 0 ? NVDS_MSGAPI_UNKNOWN_TOPIC : NVDS_MSGAPI_OK;
  pthread_mutex_lock(&foreign->mutex);
  *foreign->last = pending;
  foreign->last = &pending->next;
  pthread_mutex_unlock(&foreign->mutex);
  return NVDS_MSGAPI_OK;
}

NvDsMsgApiErrorType nvds_msgapi_send(NvDsMsgApiHandle h_ptr, char* topic, const uint8_t* payload,
                                     size_t nbuf) {
  (void)h_ptr, (void)payload, (void)nbuf;
  if (topic != NULL && strcmp(topic, "unknown") == 0) return NVDS_MSGAPI_UNKNOWN_TOPIC;
  return topic == NULL || strcmp(topic, "refuse") == 0 ? NVDS_MSGAPI_ERR : NVDS_MSGAPI_OK;
}

NvDsMsgApiErrorType nvds_msgapi_subscribe(NvDsMsgApiHandle h_ptr, char** topics, int num_topics,
                                          nvds_msgapi_subscribe_request_cb_t cb, void* user_ctx) {
  Foreign* foreign = h_ptr;
  if (topics == NULL || num_topics <= 0 || cb == NULL) return NVDS_MSGAPI_ERR;
  foreign->subscriber = cb;
  foreign->subscriber_ptr = user_ctx;
  return NVDS_MSGAPI_OK;
}

void nvds_msgapi_do_work(NvDsMsgApiHandle h_ptr) {
  Foreign* foreign = h_ptr;
  for (;;) {
    pthread_mutex_lock(&foreign->mutex);
    Pending* pending = foreign->first;
    if (pending != NULL) {
      foreign->first = pending->next;
      if (foreign->first == NULL) foreign->last = &foreign->first;
    }
    pthread_mutex_unlock(&foreign->mutex);
    if (pending == NULL) return;
    while (pending->times-- > 0) {
      if (pending->callback != NULL) pending->callback(pending->user_ptr, pending->result);
    }
    free(pending);
  }
}

NvDsMsgApiErrorType nvds_msgapi_disconnect(NvDsMsgApiHandle h_ptr) {
  Foreign* foreign = h_ptr;
  nvds_msgapi_do_work(foreign);
  if (foreign->closed++ > 0) return NVDS_MSGAPI_ERR;
  return NVDS_MSGAPI_OK;  // the handle is leaked, so that a second call is safe
}

char* nvds_msgapi_getversion(void) { return g_version; }
char* nvds_msgapi_get_protocol_name(void) { return g_protocol; }

NvDsMsgApiErrorType nvds_msgapi_connection_signature(char* broker_str, char* cfg, char* output_str,
                                                     int max_len) {
  (void)broker_str, (void)cfg;
  if (output_str != NULL && max_len > 0) *output_str = '\0';
  return NVDS_MSGAPI_OK;
}
