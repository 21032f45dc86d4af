// SPDX-License-Identifier: Apache-2.0
// The protocol of the template adaptor: Redis Streams, over a plain socket. Replace it by yours.
//
// Threads: one at a time.
#ifndef WIRE_H_
#define WIRE_H_

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  int fd;  // -1: not connected
  char *out, *in;
  size_t out_size, out_done, in_size;
} Wire;

// False: there is no memory.
bool WireMake(Wire* wire);
void WireFree(Wire* wire);

// Connects and has the server answer, within a second or so (R17.1, R17.2).
bool WireOpen(Wire* wire, const char* host, const char* port);
void WireClose(Wire* wire);

// Adds a message to what WireExchange writes. False: there is no memory.
bool WireAppend(Wire* wire, const char* topic, size_t topic_size, const char* payload, size_t size);

// Writes and reads what is possible without waiting; calls `answered` for each answer, in the order
// of the messages. False: the connection is over.
bool WireExchange(Wire* wire, void (*answered)(void* context, bool good), void* context);

// Whether WireExchange has something to write.
bool WireWants(const Wire* wire);

#endif  // WIRE_H_
