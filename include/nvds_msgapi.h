// SPDX-License-Identifier: Apache-2.0
/**
 * @file nvds_msgapi.h
 * @brief The C contract between a host (a GStreamer sink, a client library, a program) and a
 * protocol adaptor, a shared library named `libnvds_<name>_proto.so`.
 *
 * The ABI is that of DeepStream's protocol adaptors, so a host built against either works with
 * both.
 *
 * Threads: every function may be called from any thread on one handle. Only
 * nvds_msgapi_disconnect() must not race with another call on the same handle.
 *
 * Callbacks: send callbacks run inside nvds_msgapi_do_work() or nvds_msgapi_disconnect(), on the
 * calling thread, with no adaptor lock held; they may call nvds_msgapi_send_async() again.
 * Subscribe callbacks run one at a time on a thread of the adaptor, connect callbacks on another
 * one. No callback runs on the caller's stack of nvds_msgapi_connect() or
 * nvds_msgapi_send_async().
 *
 * A callback must not throw. If one does, that is logged and it counts as run; the others are
 * called. A thread that is cancelled (pthread_cancel) inside a send callback leaves the callbacks
 * after it to the next nvds_msgapi_do_work().
 *
 * Processes: in a child made by fork(), every function answers NVDS_MSGAPI_ERR at once for a handle
 * of the parent, including nvds_msgapi_disconnect(), and has no other effect. The parent's
 * connections are not disturbed. A child may open its own connections, whatever the parent's
 * threads were doing during the fork.
 *
 * Limits: when threads, descriptors or memory run out, nvds_msgapi_connect() returns NULL and the
 * log names the limit to raise; an established connection continues, and treats what it cannot do
 * as an outage.
 *
 * Arguments: any pointer may be NULL, any string empty, any length zero; such a call answers
 * NVDS_MSGAPI_ERR (or a NULL handle) with one log line and has no other effect.
 */
#ifndef NVDS_MSGAPI_H_
#define NVDS_MSGAPI_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One connection. A value is never used again for another connection. */
typedef void* NvDsMsgApiHandle;

/** The events of a connect callback. */
typedef enum {
  NVDS_MSGAPI_EVT_SUCCESS = 0,     /**< the link is up (again) */
  NVDS_MSGAPI_EVT_DISCONNECT = 1,  /**< the broker ended the connection (not used by dsmsg) */
  NVDS_MSGAPI_EVT_SERVICE_DOWN = 2 /**< the adaptor gave up, or was refused permanently */
} NvDsMsgApiEventType;

/** Outcome of a call or of one message. */
typedef enum {
  NVDS_MSGAPI_OK = 0,           /**< done; for a message: acknowledged, or on the spool's disk */
  NVDS_MSGAPI_ERR = 1,          /**< failed; the log and dsmsg_last_error() say why */
  NVDS_MSGAPI_UNKNOWN_TOPIC = 2 /**< the broker does not know the topic */
} NvDsMsgApiErrorType;

/** Called once for every nvds_msgapi_send_async() that returned NVDS_MSGAPI_OK. */
typedef void (*nvds_msgapi_send_cb_t)(void* user_ptr, NvDsMsgApiErrorType completion_flag);

/**
 * Called for every received message. @p msg (@p msg_len bytes, no terminator) and @p topic are
 * valid until the callback returns; the message is acknowledged to the broker after that.
 */
typedef void (*nvds_msgapi_subscribe_request_cb_t)(NvDsMsgApiErrorType flag, void* msg, int msg_len,
                                                   char* topic, void* user_ptr);

/** Called when the link gave up or was refused permanently, and when it is up again. */
typedef void (*nvds_msgapi_connect_cb_t)(NvDsMsgApiHandle h_ptr, NvDsMsgApiEventType ds_evt);

/**
 * Connects to a broker.
 * @param connection_str `host;port`, `host;port;topic`, `host:port[,host:port...]` or a URL; NULL
 * or empty: `hostname` and `port` are taken from the file.
 * @param connect_cb may be NULL.
 * @param config_path INI file with the group `[message-broker]`; NULL or empty: defaults.
 * @return the handle, or NULL; the log names the step that failed. Blocks at most `connect-timeout`
 *         (`connect-wait-timeout` with `connect=wait`).
 */
NvDsMsgApiHandle nvds_msgapi_connect(char* connection_str, nvds_msgapi_connect_cb_t connect_cb,
                                     char* config_path);

/**
 * Sends and waits for the broker's acknowledgement, at most `send-timeout`. Needs no do_work.
 * After a timeout the message is withdrawn if it was not yet submitted; else it may still arrive.
 */
NvDsMsgApiErrorType nvds_msgapi_send(NvDsMsgApiHandle h_ptr, char* topic, const uint8_t* payload,
                                     size_t nbuf);

/**
 * Queues a copy of the payload and returns. @p send_callback (may be NULL) is called exactly once
 * if and only if NVDS_MSGAPI_OK is returned.
 */
NvDsMsgApiErrorType nvds_msgapi_send_async(NvDsMsgApiHandle h_ptr, char* topic,
                                           const uint8_t* payload, size_t nbuf,
                                           nvds_msgapi_send_cb_t send_callback, void* user_ptr);

/**
 * Subscribes to @p num_topics topics; a later call replaces topics, callback and context together.
 *
 * A transaction, bounded by `connect-timeout` and half a second:
 * - NVDS_MSGAPI_OK: the new subscription is in force. No call of the previous callback begins any
 *   more. Received messages that wait for a callback go to the new one if they match its topics;
 *   others are neither delivered nor acknowledged (Kafka, Redis Streams and a named AMQP queue keep
 *   them, a Redis list gets them back; MQTT, a private AMQP queue and Redis Pub/Sub drop them).
 * - NVDS_MSGAPI_ERR (refused, even in part, or not answered): the previous topics, callback and
 *   context stay in force, and the new callback is never called. The adaptor cancels what the
 *   broker had granted.
 * - With `connect=lazy` and the broker away: OK; the subscription is made when the link is up.
 *
 * A call of the previous callback that is running when the new subscription comes into force is
 * waited for, at most half a second. If it takes longer the log says so; its context has to stay
 * valid until it returns. Callbacks run one at a time: the first call of the new one shows that it
 * has returned.
 *
 * Legal from inside every callback. It holds no lock that a callback could need, so a host may hold
 * a lock around it that its callback takes, too. Concurrent calls are handled one after the other.
 */
NvDsMsgApiErrorType nvds_msgapi_subscribe(NvDsMsgApiHandle h_ptr, char** topics, int num_topics,
                                          nvds_msgapi_subscribe_request_cb_t cb, void* user_ctx);

/** Calls the send callbacks that are due; if none is, waits for one, at most `work-wait`. */
void nvds_msgapi_do_work(NvDsMsgApiHandle h_ptr);

/**
 * Flushes (at most `flush-timeout`), calls back for every message left and ends the connection.
 * Returns within `flush-timeout` and one second, whatever broker, disk and subscriber do; the time
 * inside the send callbacks that it calls is not counted. A subscribe callback that is running is
 * waited for, at most 0.3 s; one that takes longer is left alone, the log says so, and what it uses
 * has to stay valid until it returns. No callback begins afterwards.
 * Refused (NVDS_MSGAPI_ERR) from inside a callback of the same handle, and for a handle that was
 * already disconnected.
 */
NvDsMsgApiErrorType nvds_msgapi_disconnect(NvDsMsgApiHandle h_ptr);

/** "major.minor" of the contract implemented. */
char* nvds_msgapi_getversion(void);

/** KAFKA, MQTT, REDIS, AMQP, NATS, PULSAR, HTTP, AZURE_DEVICE_CLIENT, AZURE_MODULE_CLIENT, ... */
char* nvds_msgapi_get_protocol_name(void);

/**
 * Writes a signature of the settings: an empty string unless `share-connection=1`, else 64 hex
 * digits. Equal signatures within one process mean that a connection may be shared.
 * @param max_len size of @p output_str, at least 65; the output is always terminated.
 */
NvDsMsgApiErrorType nvds_msgapi_connection_signature(char* broker_str, char* cfg, char* output_str,
                                                     int max_len);

#ifdef __cplusplus
}
#endif

#endif  // NVDS_MSGAPI_H_
