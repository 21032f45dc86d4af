// SPDX-License-Identifier: Apache-2.0
// Redis: XADD topic * metadata payload.
#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kConnectMs = 1000, kInSize = 65536 };

static long long Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static bool Ready(int fd, short events, long long until) {
  const long long left = until - Now();
  return poll(&(struct pollfd){fd, events, 0}, 1, left < 0 ? 0 : (int)left) == 1;
}

bool WireMake(Wire* wire) {
  *wire = (Wire){.fd = -1, .in = malloc(kInSize)};
  return wire->in != NULL;
}

void WireFree(Wire* wire) {
  WireClose(wire);
  free(wire->out);
  free(wire->in);
}

void WireClose(Wire* wire) {
  if (wire->fd >= 0) close(wire->fd);
  wire->fd = -1;
  wire->out_size = wire->out_done = wire->in_size = 0;
}

// MSG_NOSIGNAL everywhere: SIGPIPE would end the host (R16.2).
static bool OpenOne(Wire* wire, const struct addrinfo* address) {
  const long long until = Now() + kConnectMs;
  wire->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (wire->fd < 0) return false;
  int error = 0;
  socklen_t size = sizeof error;
  bool up = connect(wire->fd, address->ai_addr, address->ai_addrlen) == 0 ||
            (errno == EINPROGRESS && Ready(wire->fd, POLLOUT, until) &&
             getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0);
  up = up && send(wire->fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6;
  char answer[7] = "";
  for (size_t got = 0; up && got < sizeof answer;) {
    up = Ready(wire->fd, POLLIN, until);
    const ssize_t part = up ? recv(wire->fd, answer + got, sizeof answer - got, 0) : 0;
    up = part > 0;
    got += up ? (size_t)part : 0;
  }
  if (up && memcmp(answer, "+PONG\r\n", sizeof answer) == 0) return true;
  WireClose(wire);
  return false;
}

bool WireOpen(Wire* wire, const char* host, const char* port) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  struct addrinfo* found = NULL;
  if (getaddrinfo(host, port, &hints, &found) != 0) return false;
  bool up = false;
  for (const struct addrinfo* each = found; each != NULL && !up; each = each->ai_next) {
    up = OpenOne(wire, each);
  }
  freeaddrinfo(found);
  return up;
}

// Sizes go first: a payload is bytes (R12.1).
bool WireAppend(Wire* wire, const char* topic, size_t topic_size, const char* payload,
                size_t size) {
  char head[64], middle[64];
  const size_t head_size =
      (size_t)snprintf(head, sizeof head, "*5\r\n$4\r\nXADD\r\n$%zu\r\n", topic_size);
  const size_t middle_size =
      (size_t)snprintf(middle, sizeof middle, "\r\n$1\r\n*\r\n$8\r\nmetadata\r\n$%zu\r\n", size);
  const size_t more = head_size + topic_size + middle_size + size + 2;
  char* out = realloc(wire->out, wire->out_size + more);
  if (out == NULL) return false;
  wire->out = out;
  out = mempcpy(out + wire->out_size, head, head_size);
  out = mempcpy(out, topic, topic_size);
  out = mempcpy(out, middle, middle_size);
  out = mempcpy(out, payload, size);
  memcpy(out, "\r\n", 2);
  wire->out_size += more;
  return true;
}

// An answer is "$15\r\n<id>\r\n" or "-why not\r\n".
static void Answers(Wire* wire, void (*answered)(void*, bool), void* context) {
  size_t at = 0;
  for (;;) {
    const char* begin = wire->in + at;
    const char* end = memmem(begin, wire->in_size - at, "\r\n", 2);
    if (end == NULL) break;
    size_t size = (size_t)(end - begin) + 2;
    if (*begin == '$') size += (size_t)atoi(begin + 1) + 2;
    if (at + size > wire->in_size) break;
    answered(context, *begin == '$');
    at += size;
  }
  wire->in_size -= at;
  memmove(wire->in, wire->in + at, wire->in_size);
}

bool WireExchange(Wire* wire, void (*answered)(void* context, bool good), void* context) {
  while (WireWants(wire)) {
    const ssize_t size =
        send(wire->fd, wire->out + wire->out_done, wire->out_size - wire->out_done, MSG_NOSIGNAL);
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) return false;
    wire->out_done += (size_t)size;
  }
  if (!WireWants(wire)) wire->out_done = wire->out_size = 0;
  for (;;) {
    const ssize_t size = recv(wire->fd, wire->in + wire->in_size, kInSize - wire->in_size, 0);
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) return false;
    wire->in_size += (size_t)size;
    Answers(wire, answered, context);
  }
}

bool WireWants(const Wire* wire) { return wire->out_done < wire->out_size; }
