// SPDX-License-Identifier: Apache-2.0
// A complete adaptor to start your own from; `dsmsg certify` finds nothing wrong with it. The names
// in comments, such as R03.1, are those of the requirements in docs/certify.md. It only sends.
//
//   cc -O2 -Wall -fPIC -fvisibility=hidden -shared -pthread -I . adaptor.c wire.c
//      -o libnvds_mine_proto.so
//   dsmsg certify ./libnvds_mine_proto.so --broker redis
//
// The protocol is in wire.c: replace that. The rest stays: a queue, a thread that owns the
// connection, a list of results that do_work hands out.
//
// Threads: the host's threads take `mutex`, and never wait for the network with it.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#pragma GCC visibility push(default)  // R15.1: nothing else is exported
#include "nvds_msgapi.h"
#pragma GCC visibility pop
#include "wire.h"

enum {
  kAnswerMs = 2000,  // a server that answers nothing for so long is away
  kSendMs = 1500,    // of a synchronous send
  kFlushMs = 1500,   // of disconnect
  kWorkMs = 50,      // do_work waits so long for a result
  kMostWaiting = 10000,
};

typedef struct Message {
  struct Message* next;
  nvds_msgapi_send_cb_t callback;
  void* user_ptr;
  NvDsMsgApiErrorType result;
  bool waited_for, done, given_up;  // by nvds_msgapi_send
  size_t topic_size, size;
  char bytes[];  // topic, then payload: a copy (R12.2)
} Message;

typedef struct {
  Message* first;
  Message** last;
  size_t count;
} List;

typedef struct Adaptor {
  struct Adaptor* next;  // in g_adaptors
  pid_t pid;
  char *host, *port, *topic;
  pthread_t thread;
  int wake;  // an eventfd

  pthread_mutex_t mutex;   // guards the lists and the flags
  pthread_cond_t changed;  // a result, or nothing left
  List waiting, sent, results;
  bool stop;

  Wire wire;  // of the I/O thread alone, once there is one
} Adaptor;

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static Adaptor* g_adaptors;               // a handle that is not in here is refused (S1.8)
static _Thread_local Adaptor* t_calling;  // whose callbacks this thread runs

static long long Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct timespec At(long long ms) {
  return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

static void Push(List* list, Message* message) {
  message->next = NULL;
  *list->last = message;
  list->last = &message->next;
  ++list->count;
}

static Message* Pop(List* list) {
  Message* message = list->first;
  if (message == NULL) return NULL;
  list->first = message->next;
  if (list->first == NULL) list->last = &list->first;
  --list->count;
  return message;
}

static void Empty(List* list) { *list = (List){.last = &list->first}; }

// With the mutex: the message has its result.
static void Finish(Adaptor* adaptor, Message* message, NvDsMsgApiErrorType result) {
  message->result = result;
  if (!message->waited_for) {
    Push(&adaptor->results, message);
  } else if (message->given_up) {
    free(message);
  } else {
    message->done = true;
  }
  pthread_cond_broadcast(&adaptor->changed);
}

// An answer of the server to the oldest message without one.
static void Answered(void* context, bool good) {
  Adaptor* adaptor = context;
  pthread_mutex_lock(&adaptor->mutex);
  Message* message = Pop(&adaptor->sent);
  if (message != NULL) Finish(adaptor, message, good ? NVDS_MSGAPI_OK : NVDS_MSGAPI_ERR);
  pthread_mutex_unlock(&adaptor->mutex);
}

// With the mutex: hands on what waits. Out of memory, it waits on.
static void Submit(Adaptor* adaptor) {
  for (Message* each; (each = adaptor->waiting.first) != NULL;) {
    const char* payload = each->bytes + each->topic_size;
    if (!WireAppend(&adaptor->wire, each->bytes, each->topic_size, payload, each->size)) return;
    Push(&adaptor->sent, Pop(&adaptor->waiting));
  }
}

// Sends until the connection ends, the server is silent, or the host wants to stop. Returns whether
// the server has answered anything.
static bool Serve(Adaptor* adaptor) {
  bool answered = false;
  long long heard = Now();
  for (;;) {
    pthread_mutex_lock(&adaptor->mutex);
    if (adaptor->sent.count == 0) heard = Now();
    Submit(adaptor);
    const size_t before = adaptor->sent.count;
    const bool stop = adaptor->stop;
    pthread_mutex_unlock(&adaptor->mutex);
    const bool up = !stop && WireExchange(&adaptor->wire, Answered, adaptor);
    const size_t unanswered = adaptor->sent.count;  // only this thread changes it
    if (unanswered != before) {
      answered = true;
      heard = Now();
    }
    if (!up || (unanswered > 0 && Now() - heard > kAnswerMs)) return answered;
    const short events = WireWants(&adaptor->wire) ? POLLIN | POLLOUT : POLLIN;
    struct pollfd polls[] = {{adaptor->wire.fd, events, 0}, {adaptor->wake, POLLIN, 0}};
    poll(polls, 2, unanswered > 0 ? 200 : 1000);
    uint64_t count = 0;
    if (read(adaptor->wake, &count, sizeof count) < 0) continue;  // it was not the host
  }
}

// What was sent and not answered is sent again, in order and before the rest (R07.3).
static void Again(Adaptor* adaptor) {
  pthread_mutex_lock(&adaptor->mutex);
  for (Message* message; (message = Pop(&adaptor->waiting)) != NULL;) {
    Push(&adaptor->sent, message);
  }
  adaptor->waiting = adaptor->sent;
  if (adaptor->waiting.first == NULL) Empty(&adaptor->waiting);
  Empty(&adaptor->sent);
  pthread_mutex_unlock(&adaptor->mutex);
}

// Waits before the next attempt: growing times with a random part, so that not all cameras come
// back at once (R17.4). True: the host wants to stop.
static bool Pause(Adaptor* adaptor, int* pause, unsigned* seed) {
  const struct timespec until = At(Now() + *pause + rand_r(seed) % *pause);
  if (*pause < 1000) *pause *= 2;
  int error = 0;
  pthread_mutex_lock(&adaptor->mutex);
  while (!adaptor->stop && error != ETIMEDOUT) {
    error = pthread_cond_timedwait(&adaptor->changed, &adaptor->mutex, &until);
  }
  const bool stop = adaptor->stop;
  pthread_mutex_unlock(&adaptor->mutex);
  return stop;
}

static void* Run(void* argument) {
  Adaptor* adaptor = argument;
  unsigned seed = (unsigned)Now();
  int pause = 50;
  do {
    if (adaptor->wire.fd < 0 && !WireOpen(&adaptor->wire, adaptor->host, adaptor->port)) continue;
    if (Serve(adaptor)) pause = 50;
    WireClose(&adaptor->wire);
    Again(adaptor);
  } while (!Pause(adaptor, &pause, &seed));
  return NULL;
}

// ---- the functions of the contract ----

static void Wake(Adaptor* adaptor) {
  const uint64_t one = 1;
  if (write(adaptor->wake, &one, sizeof one) < 0) return;  // it is awake already
}

// The handle if it is one of this process; a child of fork has none of the threads (R23.1).
static Adaptor* Of(NvDsMsgApiHandle handle) {
  if (handle == NULL) return NULL;
  pthread_mutex_lock(&g_mutex);
  Adaptor* each = g_adaptors;
  while (each != NULL && each != handle) each = each->next;
  pthread_mutex_unlock(&g_mutex);
  return each != NULL && each->pid == getpid() ? each : NULL;
}

static void Free(Adaptor* adaptor) {
  WireFree(&adaptor->wire);
  if (adaptor->wake >= 0) close(adaptor->wake);
  pthread_cond_destroy(&adaptor->changed);
  pthread_mutex_destroy(&adaptor->mutex);
  free(adaptor->host);
  free(adaptor);
}

// host;port or host;port;topic
static bool Parse(Adaptor* adaptor, const char* text) {
  adaptor->host = strdup(text);
  if (adaptor->host == NULL) return false;
  char* rest = adaptor->host;
  strsep(&rest, ";");
  adaptor->port = strsep(&rest, ";");
  adaptor->topic = rest;
  return *adaptor->host != '\0' && adaptor->port != NULL && *adaptor->port != '\0';
}

NvDsMsgApiHandle nvds_msgapi_connect(char* connection_str, nvds_msgapi_connect_cb_t connect_cb,
                                     char* config_path) {
  (void)connect_cb;  // it never gives up, so there is nothing to tell (R07.4)
  (void)config_path;
  Adaptor* adaptor = calloc(1, sizeof *adaptor);
  if (adaptor == NULL) return NULL;
  Empty(&adaptor->waiting), Empty(&adaptor->sent), Empty(&adaptor->results);
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&adaptor->changed, &clock);
  pthread_condattr_destroy(&clock);
  pthread_mutex_init(&adaptor->mutex, NULL);
  adaptor->pid = getpid();
  const bool made = WireMake(&adaptor->wire);
  adaptor->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (connection_str == NULL || !Parse(adaptor, connection_str) || !made || adaptor->wake < 0 ||
      !WireOpen(&adaptor->wire, adaptor->host, adaptor->port) ||
      pthread_create(&adaptor->thread, NULL, Run, adaptor) != 0) {
    fprintf(stderr, "template: cannot connect (is the server running? conn-str is host;port)\n");
    Free(adaptor);
    return NULL;
  }
  pthread_mutex_lock(&g_mutex);
  adaptor->next = g_adaptors;
  g_adaptors = adaptor;
  pthread_mutex_unlock(&g_mutex);
  return adaptor;
}

static Message* Accept(Adaptor* adaptor, const char* topic, const uint8_t* payload, size_t size) {
  if (topic == NULL || *topic == '\0') topic = adaptor->topic;
  if (topic == NULL || *topic == '\0' || payload == NULL || size == 0) return NULL;
  const size_t topic_size = strlen(topic);
  Message* message = calloc(1, sizeof *message + topic_size + size);
  if (message == NULL) return NULL;
  message->topic_size = topic_size;
  message->size = size;
  memcpy(mempcpy(message->bytes, topic, topic_size), payload, size);
  return message;
}

NvDsMsgApiErrorType nvds_msgapi_send_async(NvDsMsgApiHandle h_ptr, char* topic,
                                           const uint8_t* payload, size_t nbuf,
                                           nvds_msgapi_send_cb_t send_callback, void* user_ptr) {
  Adaptor* adaptor = Of(h_ptr);
  Message* message = adaptor == NULL ? NULL : Accept(adaptor, topic, payload, nbuf);
  if (message == NULL) return NVDS_MSGAPI_ERR;
  message->callback = send_callback;
  message->user_ptr = user_ptr;
  pthread_mutex_lock(&adaptor->mutex);
  if (adaptor->waiting.count < kMostWaiting) {
    Push(&adaptor->waiting, message);
  } else {
    Finish(adaptor, message, NVDS_MSGAPI_ERR);  // accepted: a refusal ends the pipeline (R07.1)
  }
  pthread_mutex_unlock(&adaptor->mutex);
  Wake(adaptor);
  return NVDS_MSGAPI_OK;
}

NvDsMsgApiErrorType nvds_msgapi_send(NvDsMsgApiHandle h_ptr, char* topic, const uint8_t* payload,
                                     size_t nbuf) {
  Adaptor* adaptor = Of(h_ptr);
  Message* message = adaptor == NULL ? NULL : Accept(adaptor, topic, payload, nbuf);
  if (message == NULL) return NVDS_MSGAPI_ERR;
  const struct timespec until = At(Now() + kSendMs);
  message->waited_for = true;
  pthread_mutex_lock(&adaptor->mutex);
  Push(&adaptor->waiting, message);
  Wake(adaptor);
  int error = 0;
  while (!message->done && error != ETIMEDOUT) {
    error = pthread_cond_timedwait(&adaptor->changed, &adaptor->mutex, &until);
  }
  const NvDsMsgApiErrorType result = message->done ? message->result : NVDS_MSGAPI_ERR;
  message->given_up = !message->done;  // Finish frees it
  if (message->done) free(message);
  pthread_mutex_unlock(&adaptor->mutex);
  return result;
}

NvDsMsgApiErrorType nvds_msgapi_subscribe(NvDsMsgApiHandle h_ptr, char** topics, int num_topics,
                                          nvds_msgapi_subscribe_request_cb_t cb, void* user_ctx) {
  (void)h_ptr, (void)topics, (void)num_topics, (void)cb, (void)user_ctx;
  return NVDS_MSGAPI_ERR;
}

// Calls back for what has a result, without the mutex (R01.1, R02.1).
static void CallBack(Adaptor* adaptor) {
  pthread_mutex_lock(&adaptor->mutex);
  List results = adaptor->results;
  if (results.first == NULL) results.last = &results.first;
  Empty(&adaptor->results);
  pthread_mutex_unlock(&adaptor->mutex);
  t_calling = adaptor;
  for (Message* message; (message = Pop(&results)) != NULL;) {
    if (message->callback != NULL) message->callback(message->user_ptr, message->result);
    free(message);
  }
  t_calling = NULL;
}

void nvds_msgapi_do_work(NvDsMsgApiHandle h_ptr) {
  Adaptor* adaptor = Of(h_ptr);
  if (adaptor == NULL) return;
  const struct timespec until = At(Now() + kWorkMs);
  pthread_mutex_lock(&adaptor->mutex);
  int error = 0;
  while (adaptor->results.first == NULL && error != ETIMEDOUT) {  // R04.1: it does not spin
    error = pthread_cond_timedwait(&adaptor->changed, &adaptor->mutex, &until);
  }
  pthread_mutex_unlock(&adaptor->mutex);
  CallBack(adaptor);
}

NvDsMsgApiErrorType nvds_msgapi_disconnect(NvDsMsgApiHandle h_ptr) {
  Adaptor* adaptor = Of(h_ptr);
  if (adaptor == NULL || adaptor == t_calling) return NVDS_MSGAPI_ERR;  // R11.2
  const struct timespec until = At(Now() + kFlushMs);
  pthread_mutex_lock(&adaptor->mutex);
  int error = 0;
  while (adaptor->waiting.count + adaptor->sent.count > 0 && error != ETIMEDOUT) {
    error = pthread_cond_timedwait(&adaptor->changed, &adaptor->mutex, &until);
  }
  adaptor->stop = true;
  pthread_cond_broadcast(&adaptor->changed);
  pthread_mutex_unlock(&adaptor->mutex);
  Wake(adaptor);
  pthread_join(adaptor->thread, NULL);  // R18.2
  for (Message* message; (message = Pop(&adaptor->waiting)) != NULL;) {
    Finish(adaptor, message, NVDS_MSGAPI_ERR);
  }
  CallBack(adaptor);  // R03.3
  pthread_mutex_lock(&g_mutex);
  Adaptor** place = &g_adaptors;
  while (*place != adaptor) place = &(*place)->next;
  *place = adaptor->next;
  pthread_mutex_unlock(&g_mutex);
  Free(adaptor);
  return NVDS_MSGAPI_OK;
}

char* nvds_msgapi_getversion(void) {
  static char version[] = "4.0";
  return version;
}

char* nvds_msgapi_get_protocol_name(void) {
  static char name[] = "TEMPLATE";
  return name;
}

NvDsMsgApiErrorType nvds_msgapi_connection_signature(char* broker_str, char* cfg, char* output_str,
                                                     int max_len) {
  (void)broker_str, (void)cfg;
  if (output_str == NULL || max_len < 1) return NVDS_MSGAPI_ERR;
  *output_str = '\0';  // connections are not shared (R13.2)
  return NVDS_MSGAPI_OK;
}
