/* SPDX-License-Identifier: Apache-2.0 */
/* reload <client library> <adaptor> <cycles>: load, connect, send, disconnect, unload, again and
 * again. Exit code 0: every message was called back and no thread is left. */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "nvmsgbroker.h"

enum { kMessages = 10 };
static atomic_int called;

static void OnSent(void* user_ptr, NvMsgBrokerErrorType status) {
  (void)user_ptr;
  if (status == NV_MSGBROKER_API_OK) atomic_fetch_add(&called, 1);
}

static int Threads(void) {
  int count = 0;
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == NULL) return -1;
  while (readdir(tasks) != NULL) ++count;
  closedir(tasks);
  return count;
}

/* A thread that was joined may still be listed for a moment. */
static int WaitForThreads(int expected) {
  const struct timespec pause = {0, 1000000};
  for (int i = 0; i < 5000; ++i) {
    if (Threads() <= expected) return 1;
    nanosleep(&pause, NULL);
  }
  return 0;
}

static int Cycle(const char* library_path, char* adaptor) {
  void* library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 0;
  }
  NvMsgBrokerClientHandle (*connect)(char*, char*, nv_msgbroker_connect_cb_t, char*);
  NvMsgBrokerErrorType (*send)(NvMsgBrokerClientHandle, NvMsgBrokerClientMsg,
                               nv_msgbroker_send_cb_t, void*);
  NvMsgBrokerErrorType (*disconnect)(NvMsgBrokerClientHandle);
  *(void**)&connect = dlsym(library, "nv_msgbroker_connect");
  *(void**)&send = dlsym(library, "nv_msgbroker_send_async");
  *(void**)&disconnect = dlsym(library, "nv_msgbroker_disconnect");
  char conn_str[] = "host;1", topic[] = "topic", payload[] = "payload";
  NvMsgBrokerClientHandle handle = connect(conn_str, adaptor, NULL, NULL);
  if (handle == NULL) return 0;
  atomic_store(&called, 0);
  for (int i = 0; i < kMessages; ++i) {
    NvMsgBrokerClientMsg message = {topic, payload, sizeof payload};
    if (send(handle, message, OnSent, NULL) != NV_MSGBROKER_API_OK) return 0;
  }
  if (disconnect(handle) != NV_MSGBROKER_API_OK) return 0;
  if (atomic_load(&called) != kMessages) return 0;
  return dlclose(library) == 0;
}

static void* Nothing(void* argument) { return argument; }

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  // ThreadSanitizer starts a thread of its own with the first one.
  pthread_t first;
  if (pthread_create(&first, NULL, Nothing, NULL) != 0 || pthread_join(first, NULL) != 0) return 2;
  const int before = Threads();
  for (int i = 0; i < atoi(argv[3]); ++i) {
    if (!Cycle(argv[1], argv[2])) {
      fprintf(stderr, "cycle %d failed: %d of %d messages were called back\n", i,
              atomic_load(&called), kMessages);
      return 1;
    }
  }
  if (WaitForThreads(before)) return 0;
  fprintf(stderr, "%d threads, %d at the start\n", Threads(), before);
  return 1;
}
