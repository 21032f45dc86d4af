// SPDX-License-Identifier: Apache-2.0
// The template adaptor with one mistake: that of the file's name, libnvds_wrong_MISTAKE_proto.so.
// wrong.py says which requirements each mistake breaks.
//
// Threads: as the template; lists of its own have a mutex.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>

#define nvds_msgapi_connect right_connect
#define nvds_msgapi_send right_send
#define nvds_msgapi_send_async right_send_async
#define nvds_msgapi_subscribe right_subscribe
#define nvds_msgapi_do_work right_do_work
#define nvds_msgapi_disconnect right_disconnect
#define nvds_msgapi_getversion right_getversion
#define nvds_msgapi_get_protocol_name right_get_protocol_name
#define nvds_msgapi_connection_signature right_connection_signature
#include "adaptor.c"
#undef nvds_msgapi_connect
#undef nvds_msgapi_send
#undef nvds_msgapi_send_async
#undef nvds_msgapi_subscribe
#undef nvds_msgapi_do_work
#undef nvds_msgapi_disconnect
#undef nvds_msgapi_getversion
#undef nvds_msgapi_get_protocol_name
#undef nvds_msgapi_connection_signature

#define EXPORT __attribute__((visibility("default")))
enum { kLarge = 9000 };

static bool Wrong(const char* name) {
  static char own[64];
  Dl_info info;
  if (*own == '\0' && dladdr(own, &info) != 0) {
    sscanf(strrchr(info.dli_fname, '/'), "/libnvds_wrong_%63[^_]", own);
  }
  return strcmp(own, name) == 0;
}

// ---- what is called back, when and how often ----

typedef struct Asked {
  struct Asked* next;
  NvDsMsgApiHandle handle;
  nvds_msgapi_send_cb_t callback;
  void* user_ptr;
  char* topic;
  const uint8_t* payload;  // the host's own memory
  size_t size;
} Asked;

static pthread_mutex_t g_asked_mutex = PTHREAD_MUTEX_INITIALIZER;
static Asked* g_asked;  // oldest first: called back early, or not yet sent
static bool g_disconnecting;

static Asked* Ask(NvDsMsgApiHandle handle, nvds_msgapi_send_cb_t callback, void* user_ptr) {
  Asked* asked = calloc(1, sizeof *asked);
  asked->handle = handle;
  asked->callback = callback;
  asked->user_ptr = user_ptr;
  return asked;
}

static void Append(Asked* asked) {
  pthread_mutex_lock(&g_asked_mutex);
  Asked** end = &g_asked;
  while (*end != NULL) end = &(*end)->next;
  *end = asked;
  pthread_mutex_unlock(&g_asked_mutex);
}

static Asked* Take(void) {
  pthread_mutex_lock(&g_asked_mutex);
  Asked* asked = g_asked;
  if (asked != NULL) g_asked = asked->next;
  pthread_mutex_unlock(&g_asked_mutex);
  return asked;
}

static void* CallLater(void* argument) {
  Asked* asked = argument;
  if (Wrong("calls-after-disconnect")) usleep(200000);
  asked->callback(asked->user_ptr, NVDS_MSGAPI_OK);
  return NULL;
}

// The callback that the template gets.
static void Called(void* user_ptr, NvDsMsgApiErrorType result) {
  Asked* asked = user_ptr;
  if (asked->callback == NULL) return;
  const bool large = asked->size > kLarge;
  if (Wrong("forgets-at-disconnect") && g_disconnecting) return;
  if (Wrong("never-calls-for-large") && large) return;
  if (Wrong("calls-on-a-thread") || (Wrong("calls-after-disconnect") && g_disconnecting)) {
    pthread_t thread;
    pthread_create(&thread, NULL, CallLater, asked);
    if (Wrong("calls-on-a-thread")) pthread_join(thread, NULL);
    return;
  }
  asked->callback(asked->user_ptr, result);
  if (Wrong("calls-twice-for-large") && large) asked->callback(asked->user_ptr, result);
}

// Tries the server again and again, without a pause.
static void Hurry(const Adaptor* adaptor) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    Wire wire;
    WireMake(&wire);
    WireOpen(&wire, adaptor->host, adaptor->port);
    WireFree(&wire);
  }
}

EXPORT NvDsMsgApiErrorType nvds_msgapi_send_async(NvDsMsgApiHandle h_ptr, char* topic,
                                                  const uint8_t* payload, size_t nbuf,
                                                  nvds_msgapi_send_cb_t send_callback,
                                                  void* user_ptr) {
  if (Wrong("crashes-on-null") && *(const volatile uint8_t*)payload == 0) return NVDS_MSGAPI_ERR;
  if (Wrong("hangs-after-fork") && Of(h_ptr) == NULL && h_ptr != NULL) pause();
  if (h_ptr == NULL || payload == NULL) return NVDS_MSGAPI_ERR;
  const Adaptor* adaptor = h_ptr;
  if (Wrong("refuses-in-an-outage") && adaptor->wire.fd < 0) return NVDS_MSGAPI_ERR;
  if (Wrong("never-pauses") && adaptor->wire.fd < 0) Hurry(adaptor);
  if (Wrong("sends-text") && nbuf > 0) nbuf = strnlen((const char*)payload, nbuf);
  Asked* asked = Ask(h_ptr, send_callback, user_ptr);
  asked->size = nbuf;
  if (Wrong("ok-too-early")) {
    const NvDsMsgApiErrorType answer = right_send_async(h_ptr, topic, payload, nbuf, NULL, NULL);
    if (answer == NVDS_MSGAPI_OK) Append(asked);
    return answer;
  }
  if (Wrong("keeps-the-pointer") && topic != NULL && *topic != '\0') {
    asked->topic = strdup(topic);
    asked->payload = payload;
    Append(asked);
    return NVDS_MSGAPI_OK;
  }
  const NvDsMsgApiErrorType answer = right_send_async(h_ptr, topic, payload, nbuf, Called, asked);
  if (Wrong("calls-on-the-stack") && answer == NVDS_MSGAPI_OK && send_callback != NULL) {
    asked->callback = NULL;
    t_calling = h_ptr;
    send_callback(user_ptr, answer);
    t_calling = NULL;
  }
  return answer;
}

// ---- do_work and disconnect ----

static void SendKept(void) {
  for (Asked* asked; (asked = Take()) != NULL;) {
    right_send_async(asked->handle, asked->topic, asked->payload, asked->size, Called, asked);
  }
}

static void CallEarly(Adaptor* adaptor) {
  t_calling = adaptor;
  for (Asked* asked; (asked = Take()) != NULL;) {
    if (asked->callback != NULL) asked->callback(asked->user_ptr, NVDS_MSGAPI_OK);
  }
  t_calling = NULL;
}

// Everything that waits ends, as if an outage were an answer.
static void EndAll(Adaptor* adaptor, NvDsMsgApiErrorType result) {
  pthread_mutex_lock(&adaptor->mutex);
  if (adaptor->wire.fd < 0) {
    for (Message* message; (message = Pop(&adaptor->waiting)) != NULL;) {
      Finish(adaptor, message, result);
    }
  }
  pthread_mutex_unlock(&adaptor->mutex);
}

EXPORT void nvds_msgapi_do_work(NvDsMsgApiHandle h_ptr) {
  if (h_ptr == NULL) return;
  Adaptor* adaptor = h_ptr;
  if (Wrong("keeps-the-pointer")) SendKept();
  if (Wrong("ok-too-early")) CallEarly(adaptor);
  if (Wrong("fails-in-an-outage")) EndAll(adaptor, NVDS_MSGAPI_ERR);
  if (Wrong("loses-in-an-outage")) EndAll(adaptor, NVDS_MSGAPI_OK);
  pthread_mutex_lock(&adaptor->mutex);
  const bool due = adaptor->results.first != NULL;
  const bool idle = !due && adaptor->waiting.count + adaptor->sent.count == 0;
  pthread_mutex_unlock(&adaptor->mutex);
  if (Wrong("spins") && !due) return;
  static bool slept;
  if (Wrong("sleeps-when-idle") && idle && !slept) usleep(2500000), slept = true;
  right_do_work(h_ptr);
}

EXPORT NvDsMsgApiErrorType nvds_msgapi_disconnect(NvDsMsgApiHandle h_ptr) {
  Adaptor* adaptor = Of(h_ptr);
  if (adaptor == NULL || adaptor == t_calling) return NVDS_MSGAPI_ERR;
  g_disconnecting = true;
  if (Wrong("keeps-the-pointer")) SendKept();
  if (Wrong("ok-too-early")) CallEarly(adaptor);
  for (bool open = Wrong("waits-for-the-server"); open;) {
    pthread_mutex_lock(&adaptor->mutex);
    open = adaptor->waiting.count + adaptor->sent.count > 0;
    pthread_mutex_unlock(&adaptor->mutex);
    usleep(10000);
  }
  const NvDsMsgApiErrorType answer = right_disconnect(h_ptr);
  g_disconnecting = false;
  return answer;
}

// ---- the rest ----

static void* Sleep(void* argument) {
  for (;;) pause();
  return argument;
}

static void CopyFile(const char* path, FILE* to) {
  FILE* file = path == NULL ? NULL : fopen(path, "re");
  char line[256];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) fputs(line, to);
  if (file != NULL) fclose(file);
  fflush(to);
}

EXPORT NvDsMsgApiHandle nvds_msgapi_connect(char* connection_str,
                                            nvds_msgapi_connect_cb_t connect_cb,
                                            char* config_path) {
  if (Wrong("prints-passwords")) CopyFile(config_path, stderr);
  if (Wrong("ignores-sigpipe")) signal(SIGPIPE, SIG_IGN);
  NvDsMsgApiHandle handle = right_connect(connection_str, connect_cb, config_path);
  if (handle == NULL) return NULL;
  if (Wrong("leaks-a-descriptor") && open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return handle;
  if (Wrong("leaks-a-thread")) {
    pthread_t thread;
    pthread_create(&thread, NULL, Sleep, NULL);
    pthread_detach(thread);
  }
  if (Wrong("event-inside-connect") && connect_cb != NULL) {
    connect_cb(handle, NVDS_MSGAPI_EVT_SUCCESS);
  }
  return handle;
}

EXPORT NvDsMsgApiErrorType nvds_msgapi_send(NvDsMsgApiHandle h_ptr, char* topic,
                                            const uint8_t* payload, size_t nbuf) {
  NvDsMsgApiErrorType answer = right_send(h_ptr, topic, payload, nbuf);
  while (Wrong("send-waits-for-ever") && answer != NVDS_MSGAPI_OK && h_ptr != NULL &&
         payload != NULL) {
    answer = right_send(h_ptr, topic, payload, nbuf);
  }
  return Wrong("send-says-ok") && h_ptr != NULL && payload != NULL ? NVDS_MSGAPI_OK : answer;
}

EXPORT NvDsMsgApiErrorType nvds_msgapi_subscribe(NvDsMsgApiHandle h_ptr, char** topics,
                                                 int num_topics,
                                                 nvds_msgapi_subscribe_request_cb_t cb,
                                                 void* user_ctx) {
  if (Wrong("subscribes-to-nothing") && topics == NULL) return NVDS_MSGAPI_OK;
  return right_subscribe(h_ptr, topics, num_topics, cb, user_ctx);
}

EXPORT char* nvds_msgapi_getversion(void) { return right_getversion(); }

EXPORT char* nvds_msgapi_get_protocol_name(void) {
  static char small[] = "template";
  return Wrong("small-name") ? small : right_get_protocol_name();
}

EXPORT NvDsMsgApiErrorType nvds_msgapi_connection_signature(char* broker_str, char* cfg,
                                                            char* output_str, int max_len) {
  const NvDsMsgApiErrorType answer =
      right_connection_signature(broker_str, cfg, output_str, max_len);
  if (answer != NVDS_MSGAPI_OK) return answer;
  if (Wrong("same-signature")) snprintf(output_str, (size_t)max_len, "same");
  if (Wrong("signature-too-long")) memset(output_str, 'a', (size_t)max_len + 8);
  if (Wrong("signature-has-password") && max_len > 1) {
    FILE* to = fmemopen(output_str, (size_t)max_len, "w");
    fprintf(to, "%s;", broker_str == NULL ? "" : broker_str);
    CopyFile(cfg, to);
    fclose(to);
  }
  return answer;
}
